"""Models through the SDK against the real application: saved, pulled, named, deleted.

Content differs between tests: they share the index of what is stored, but not the store.
"""

import asyncio
import os
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import numpy
import pytest
import safetensors.torch
import torch

import hansard
from hansard.client import AsyncClient, Client
from hansard.client_errors import Conflict, HansardError, Invalid, NotFound
from hansard.tensors import TensorError
from tests.contract.served_platform import Address, a_name

T = TypeVar("T")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("HANSARD_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


async def blocking(address: Address, story: Callable[[Client], T]) -> T:
    """Tell a story with the blocking client while the server runs on this loop."""

    def told() -> T:
        with Client(address.url, address.token) as client:
            return story(client)

    return await asyncio.to_thread(told)


def a_net(width: int = 64) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(width, 3 * width), torch.nn.ReLU(), torch.nn.Linear(3 * width, 2)
    )


async def test_a_module_is_saved_and_loaded_by_name_number_and_alias(address: Address) -> None:
    def story(client: Client) -> None:
        name, net = a_name(), a_net()
        first = hansard.save_model(name, net, metrics={"acc": 0.5}, client=client)
        assert (first.number, first.created, first.metrics) == (1, True, {"acc": 0.5})
        with torch.no_grad():
            net[2].bias += 1
        second = hansard.save_model(name, net, aliases=["champion"], client=client)
        assert second.number == 2
        assert 0 < second.sent < first.sent / 2
        for ref in (name, f"{name}:2", f"{name}@champion", second.id):
            loaded = hansard.load_model(ref, client=client)
            assert loaded.version.id == second.id
            assert [file.path for file in loaded.files] == ["model.safetensors"]
            fresh = a_net()
            fresh.load_state_dict(loaded)
            assert all(
                torch.equal(a, b) for a, b in zip(fresh.parameters(), net.parameters(), strict=True)
            )
        before = hansard.load_model(f"{name}:1", client=client)
        assert not torch.equal(before["2.bias"], net.state_dict()["2.bias"])

    await blocking(address, story)


async def test_the_same_content_is_no_new_version_but_gets_the_aliases(address: Address) -> None:
    def story(client: Client) -> None:
        name, net = a_name(), a_net(8)
        first = hansard.save_model(name, net, tags={"a": "b"}, client=client)
        again = hansard.save_model(name, net, tags={"a": "b"}, aliases=["prod"], client=client)
        assert (again.id, again.created, again.aliases) == (first.id, False, ("prod",))
        assert hansard.save_model(name, net, tags={"a": "c"}, client=client).number == 2

    await blocking(address, story)


async def test_pulled_files_are_byte_by_byte_those_that_were_pushed(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "tokenizer" / "words.txt").write_bytes(os.urandom(300_000).hex().encode())
    (folder / "empty.txt").touch()
    safetensors.torch.save_file({"w": torch.randn(500, 500)}, folder / "w.safetensors")

    def story(client: Client) -> None:
        pushed = client.models.push(folder, a_name())
        monkeypatch.setenv("HANSARD_CACHE_DIR", str(tmp_path / "another cache"))
        pulled = client.models.pull(pushed.id, tmp_path / "out")
        assert [file.path for file in pulled.files] == [
            *("empty.txt", "tokenizer/words.txt", "w.safetensors")
        ]
        for file in pulled.files:
            assert (tmp_path / "out" / file.path).read_bytes() == (folder / file.path).read_bytes()
        with pytest.raises(FileExistsError):
            client.models.pull(pushed.id, tmp_path / "out")
        assert client.download(pushed.id, tmp_path / "old way") == tmp_path / "old way"

    await blocking(address, story)


async def test_pickles_and_objects_are_refused_before_anything_is_sent(
    address: Address, tmp_path: Path
) -> None:
    torch.save({"w": torch.ones(3)}, tmp_path / "model.pt")
    (tmp_path / "model.bin").write_bytes(pickle.dumps({"w": [1.0] * 10}))

    def story(client: Client) -> None:
        name = a_name()
        for path in ("model.pt", "model.bin"):
            with pytest.raises(HansardError, match="is a pickle"):
                hansard.save_model(name, tmp_path / path, client=client)
        with pytest.raises(HansardError, match="could only be pickled"):
            hansard.save_model(name, 3, client=client)
        with pytest.raises(TensorError, match="`b` is a dict"):
            hansard.save_model(name, {"b": {}}, client=client)
        assert client.models.find(name) is None

    await blocking(address, story)


async def test_what_is_said_of_a_version_is_kept_and_can_be_said_anew(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_name()
        parent = hansard.save_model(name, {"w": torch.randn(3)}, client=client)
        child = hansard.save_model(
            name,
            {"w": torch.randn(3)},
            card="# Net",
            parameters={"lr": 0.1},
            parents=[f"{name}:1"],
            input_example={"x": numpy.zeros((2, 3), "float32")},
            client=client,
        )
        assert (child.card, child.parameters, child.parents) == ("# Net", {"lr": 0.1}, (parent.id,))
        assert child.input_schema == {
            "type": "object",
            "members": {"x": {"type": "tensor", "dtype": "float32", "shape": [None, 3]}},
        }
        changed = client.versions.annotate(f"model/{name}:2", card="# Better", tags={"a": "b"})
        assert (changed.card, changed.tags, changed.parameters) == (
            *("# Better", {"a": "b"}),
            {"lr": 0.1},
        )
        above = client.lineage(f"model/{name}:2", "up", 1)
        assert [(edge.made, edge.of) for edge in above.edges] == [(child.id, parent.id)]

    await blocking(address, story)


async def test_champion_and_challenger_swap_and_a_held_version_cannot_be_deleted(
    address: Address,
) -> None:
    def story(client: Client) -> None:
        name = a_name()
        for number in (1.0, 2.0):
            hansard.save_model(name, {"w": torch.full((9000,), number)}, client=client)
        client.models.alias(name, {"champion": 1, "challenger": 2})
        swapped = client.models.alias(name, {"champion": 2, "challenger": 1})
        assert swapped.aliases == {"champion": 2, "challenger": 1}
        assert hansard.load_model(f"{name}@champion", client=client)["w"][0] == 2
        with pytest.raises(NotFound, match="no `nobody`"):
            hansard.load_model(f"{name}@nobody", client=client)
        with pytest.raises(Conflict) as caught:
            client.versions.delete(f"model/{name}:1", "old")
        assert caught.value.code == "aliased"
        client.models.alias(name, {"challenger": None})
        assert client.versions.hold(f"model/{name}:1", "audit").hold == "audit"
        with pytest.raises(Conflict):
            client.versions.delete(f"model/{name}:1", "old")
        assert client.versions.release(f"model/{name}:1", "done").hold is None
        deleted = client.versions.delete(f"model/{name}:1", "old")
        assert deleted.freed_bytes > 0
        with pytest.raises(NotFound, match=r"was deleted \(old\)"):
            hansard.load_model(f"{name}:1", client=client)
        kept = client.versions.retain(f"model/{name}:2", timedelta(days=1))
        assert kept.retained_until is not None

    await blocking(address, story)


async def test_an_artifact_of_somebody_else_is_not_there(address: Address) -> None:
    def story(client: Client) -> None:
        with pytest.raises(NotFound):
            client.models.pull("version-00000000-0000-7000-8000-000000000000", "nowhere")
        with pytest.raises(NotFound):
            list(client.artifacts.files("artifact-00000000-0000-7000-8000-000000000000"))
        with pytest.raises(Invalid, match="is a executor"):
            client.models.pull("executor-00000000-0000-7000-8000-000000000000", "nowhere")

    await blocking(address, story)


async def test_the_asynchronous_client_pushes_and_pulls_and_tells_how_far_it_is(
    address: Address, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_bytes(os.urandom(200_000).hex().encode())
    told: list[tuple[str, int]] = []
    async with AsyncClient(address.url, address.token) as client:
        pushed = await client.models.push(
            tmp_path / "notes.txt",
            a_name(),
            on_progress=lambda what, done, _: told.append((what, done)),
        )
        assert ("reading", 400_000) in told
        assert any(what == "sending" for what, _ in told)
        await client.models.pull(pushed.id, tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").stat().st_size == 400_000
