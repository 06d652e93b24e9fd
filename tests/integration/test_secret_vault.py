"""Values of secrets as they lie in the broker: sealed, bound to their place, and destroyed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client

from api.bootstrap import create_streams
from domain.aggregate import Context
from domain.secret import Secret
from hansard.formats.ids import new_id
from infra.event_log.log import EventLog
from infra.event_store import EventStore
from infra.nats_connection import connect
from infra.secret_key import KeyUnusable, secret_key
from infra.secret_vault import SecretVault, ValueGone
from tests.integration.conftest import Servers
from workers.secret_sweep import SecretSweep

VALUE = "hunter2-of-the-vault"


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[Client]:
    admin = await connect(servers.nats["admin"], "test")
    await create_streams(admin, 1)
    await admin.close()
    client = await connect(servers.nats["writer"], "test")
    yield client
    await client.close()


@pytest.fixture
def vault(client: Client, tmp_path: Path) -> SecretVault:
    return SecretVault(client, tmp_path / "keys" / "secrets")


async def test_a_value_is_read_again_and_lies_there_sealed(
    vault: SecretVault, client: Client, tmp_path: Path
) -> None:
    id_ = new_id("secret")
    key = await vault.store(id_, VALUE)
    assert await vault.read(id_, key) == VALUE
    assert await vault.holds(id_, key, VALUE)
    assert not await vault.holds(id_, key, "another value")
    again = await vault.store(id_, VALUE)
    sealed = {m.payload for m in await vault.after(0, 10_000) if id_ in m.subject}
    assert (again != key, len(sealed)) == (True, 2)
    assert not [each for each in sealed if VALUE.encode() in each]
    file = tmp_path / "keys" / "secrets"
    assert file.stat().st_mode & 0o777 == 0o600
    assert await SecretVault(client, file).read(id_, key) == VALUE


async def test_a_value_moved_or_sealed_with_another_key_is_not_opened(
    vault: SecretVault, client: Client, tmp_path: Path
) -> None:
    id_, other = new_id("secret"), new_id("secret")
    key = await vault.store(id_, VALUE)
    (kept,) = [m for m in await vault.after(0, 10_000) if key in m.subject]
    await client.request(f"secret.{other}.{key}", kept.payload)
    with pytest.raises(ValueGone, match="damaged"):
        await vault.read(other, key)
    with pytest.raises(ValueGone, match="another key"):
        await SecretVault(client, tmp_path / "other").read(id_, key)
    with pytest.raises(ValueGone, match="destroyed"):
        await vault.read(id_, "0" * 32)


async def test_what_is_erased_is_overwritten_on_the_brokers_disk(
    vault: SecretVault, servers: Servers
) -> None:
    id_ = new_id("secret")
    key = await vault.store(id_, VALUE)
    (kept,) = [m for m in await vault.after(0, 10_000) if key in m.subject]

    def on_disk() -> bool:
        files = [path for path in servers.folder.folder("nats").rglob("*.blk") if path.is_file()]
        assert files
        return any(kept.payload in path.read_bytes() for path in files)

    assert on_disk()
    await vault.erase(id_, key)
    assert not on_disk()
    await vault.erase(id_, key)
    with pytest.raises(ValueGone, match="destroyed"):
        await vault.read(id_, key)


async def test_what_the_record_does_not_name_is_swept(vault: SecretVault, client: Client) -> None:
    store = EventStore(EventLog(client))
    sweep = SecretSweep(store, vault)
    secret = Secret.create(new_id("secret"), new_id("project"), "hub", "")
    old, present = [await vault.store(secret.id, VALUE) for _ in range(2)]
    made = Secret.create(secret.id, secret.project or "", "hub", present)
    context = Context("user-1", datetime.now(UTC), "test")
    await store.run(context, lambda session: session.save(made))
    stray = new_id("secret")
    lost = await vault.store(stray, VALUE)
    await sweep.sweep(datetime.now(UTC) - timedelta(hours=1))
    assert await vault.holds(stray, lost, VALUE)  # it may be about to be recorded
    assert await sweep.sweep(datetime.now(UTC) + timedelta(seconds=5)) >= 2
    assert not await vault.holds(secret.id, old, VALUE)
    assert not await vault.holds(stray, lost, VALUE)
    assert await vault.read(secret.id, present) == VALUE


def test_a_key_is_made_once_and_refused_where_it_is_none_or_open_to_all(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "secrets"
    key = secret_key(file)
    assert (len(key), secret_key(file)) == (32, key)
    file.chmod(0o604)
    with pytest.raises(KeyUnusable, match="0600"):
        secret_key(file)
    file.chmod(0o600)
    file.write_text("no key")
    with pytest.raises(KeyUnusable) as caught:
        secret_key(file)
    assert "no key" not in str(caught.value)
    with pytest.raises(KeyUnusable):
        secret_key(tmp_path / "keys")
