"""The custodian and its commands on a platform of their own tables: what is deleted is freed."""

import asyncio
import io
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hansard.formats.codec import Codec
from hansard.formats.ids import new_id
from hansard.formats.packs import Frame, read_frames
from infra.artifacts.roots import LiveRoots
from infra.event_log.bulk_read import BulkReader
from tests.contract.command_line import COMMAND
from tests.integration.artifact_lab import own_database
from tests.integration.artifacts import an_artifact, commit, framed, read, registered, some_files
from tests.integration.conftest import Servers
from tests.integration.governing import governed
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform
from tests.integration.store_box import keep as keep_root
from tests.integration.store_box import send
from workers import custodian
from workers.custodian import keep

BECAUSE = {"reason": "not needed"}


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    own = replace(servers, postgres=own_database(servers))
    async with governed(own, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


@pytest.fixture
def roots(servers: Servers) -> Iterator[LiveRoots]:
    with BulkReader(servers.nats["reader"], "EVENTS") as reader:
        yield LiveRoots(reader)


async def a_version(person: Person, files: dict[str, bytes]) -> str:
    model = await registered(person, "models")
    body = {"artifact": await an_artifact(person, model, files)}
    return str(done(await person.call("POST", f"/models/{model}/versions", body))["id"])


def an_array(count: int) -> bytes:
    """A file of floats that nobody else has."""
    file = io.BytesIO()
    np.save(file, np.random.default_rng().normal(0, 0.05, count).astype(np.float32))
    return file.getvalue()


async def told(platform: Platform, *arguments: str, code: int = 0) -> Any:
    """The document that a command of the server prints."""
    names = ("nats_reader_url", "postgres_url", "data_dir")
    settings = {f"HANSARD_{name.upper()}": str(getattr(platform.settings, name)) for name in names}
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("artifacts", *arguments, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **settings},
    )
    out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return json.loads(out)


async def test_the_roots_are_those_that_the_record_tells_of(
    platform: Platform, bob: Person, roots: LiveRoots
) -> None:
    files = some_files()
    root = framed(files)[0]
    version = await a_version(bob, files)
    before = roots.read()
    assert root in before.live
    done(await bob.call("DELETE", f"/versions/{version}", BECAUSE))
    after = roots.read()
    assert root in after.gone
    assert root not in after.live
    assert after.position > before.position


async def test_deleting_a_version_frees_as_many_bytes_as_was_said(
    platform: Platform, bob: Person
) -> None:
    shared = {"backbone.txt": some_files()["data.csv"] * 50}
    kept = await a_version(bob, {**shared, "head.txt": b"kept"})
    version = await a_version(bob, {**shared, **some_files()})
    await read(platform, bob, f"/versions/{kept}")
    path = f"/versions/{version}"
    freed = done(await bob.call("DELETE", path, BECAUSE))["freed_bytes"]

    would = await told(platform, "gc", "--dry-run", "--grace-hours", "0")
    assert (would["condemned"], would["condemned_bytes"], would["removed"]) == (3, freed, 0)
    done_ = await told(platform, "gc", "--grace-hours", "0")
    assert (done_["removed"], done_["removed_bytes"]) == (3, freed)

    content = (await read(platform, bob, f"/versions/{kept}"))["content"]["artifact"]
    found = await bob.call("GET", f"/artifacts/{content}/files/backbone.txt")
    assert found.content == shared["backbone.txt"]


async def test_a_commit_that_finds_its_objects_collected_is_told_what_to_send_again(
    platform: Platform, bob: Person
) -> None:
    model = await registered(bob, "models")
    files = some_files()
    root, frames = framed(files)
    upload = new_id("upload")
    assert (await send(bob, upload, frames)).status_code == 201
    with platform.services.artifacts.pool.connection() as connection:
        connection.execute("UPDATE upload SET touched = now() - interval '25 h'")
    assert (await told(platform, "gc", "--grace-hours", "0"))["removed"] >= 3

    refused = await keep_root(bob, upload, root, model)
    assert code_of(refused, 409) == "objects-missing"
    assert refused.json()["missing"] == [root.hex()]
    assert (await send(bob, upload, frames)).status_code == 201
    done(await keep_root(bob, upload, root, model))


async def test_verify_names_the_artifacts_that_lost_something(
    platform: Platform, bob: Person
) -> None:
    model = await registered(bob, "models")
    files = some_files()
    artifact = done(await commit(bob, model, files))["id"]
    await read(platform, bob, f"/models/{model}")
    for pack in (platform.settings.files / "packs").rglob("*"):
        if pack.is_file():
            pack.write_bytes(b"\0" * pack.stat().st_size)
    found = await told(platform, "verify", code=1)
    assert found["damaged"] == 3
    assert [each["id"] for each in found["artifacts"]] == [artifact]
    assert code_of(await bob.call("GET", f"/artifacts/{artifact}/layout"), 404) == "damaged"
    done(await commit(bob, model, files))
    assert (await told(platform, "verify"))["artifacts"] == []
    assert (await told(platform, "reindex"))["equal"]


async def test_usage_says_how_much_is_shared(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models")
    files = {"same.npy": an_array(25_000)}
    for _ in range(5):
        await an_artifact(bob, model, files)
    await read(platform, bob, f"/models/{model}")
    found = await told(platform, "usage")
    here = platform.services.artifacts
    with here.pool.connection() as connection:
        stored = connection.execute("SELECT sum(bytes) FROM pack").fetchone()
    assert stored is not None
    assert found["stored"] == int(stored[0])
    assert found["logical"] >= 5 * 100_000
    assert found["ratio"] == pytest.approx(found["logical"] / found["stored"])


async def test_the_custodian_recompresses_and_collects_until_it_is_stopped(
    platform: Platform, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custodian, "_SETTLED_S", 0.0)
    monkeypatch.setattr(custodian, "_QUIET_S", 0.0)
    weights = an_array(50_000)
    model = await registered(bob, "models")
    root, frames = framed({"weights.npy": weights})
    upload = new_id("upload")
    raw = [Frame(f.name, f.kind, Codec.RAW, f.raw, bytes(f.content())) for f in read_frames(frames)]
    assert (await send(bob, upload, raw)).status_code == 201
    kept = done(await keep_root(bob, upload, root, model))["id"]
    version = await a_version(bob, some_files())
    done(await bob.call("DELETE", f"/versions/{version}", BECAUSE))
    stopped = threading.Event()
    settings = platform.settings.model_copy(update={"artifact_grace_hours": 0.0})
    keeping = asyncio.create_task(keep(settings, stopped))
    query = "SELECT count(*) FILTER (WHERE kind = 3), count(*) FILTER (WHERE codec = 2) FROM object"
    try:
        for _ in range(200):
            await asyncio.sleep(0.1)
            with platform.services.artifacts.pool.connection() as connection:
                if connection.execute(query).fetchone() == (1, 1):
                    break
        else:
            raise AssertionError("it did not do its work")
    finally:
        stopped.set()
        await asyncio.wait_for(keeping, 10)
    found = await bob.call("GET", f"/artifacts/{kept}/files/weights.npy")
    assert found.content == weights
