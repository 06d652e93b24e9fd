"""Models through the SDK against the real application: loaded as maps of the cache.

Content differs between tests: they share the index of what is stored, but not the store.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import safetensors.torch
import torch

import hansard
from hansard.artifacts.cache import Cache
from hansard.artifacts.link import Link
from hansard.client import Client
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


@contextmanager
def counted_questions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What goes to the server meanwhile."""
    seen: list[str] = []
    take = Link.take

    def counting(self: Link, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        seen.append(f"{method} {path.split('?')[0]}")
        return take(self, method, path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Link, "take", counting)
        yield seen


async def test_numpy_and_torch_load_the_same_and_in_place_changes_stay_here(
    address: Address, cache_folder: Path
) -> None:
    def story(client: Client) -> None:
        name = a_name()
        wanted = {
            "big": torch.randn(3 << 19),
            "counts": torch.arange(9),
            "half": torch.randn(5, 5).half(),
            "none": torch.empty(0, 4),
        }
        hansard.save_model(name, wanted, client=client)
        loaded = hansard.load_model(name, client=client)
        arrays = hansard.load_model(name, framework="numpy", client=client)
        for key, tensor in wanted.items():
            assert torch.equal(loaded[key], tensor)
            assert (arrays[key] == tensor.numpy()).all()
        loaded["big"].mul_(2)
        arrays["counts"][:] = 7
        again = hansard.load_model(name, client=client)
        assert torch.equal(again["big"], wanted["big"])
        assert torch.equal(again["counts"], wanted["counts"])
        assert torch.equal(
            hansard.load_model(name, client=client, verify=True)["big"], again["big"]
        )

    await blocking(address, story)


async def test_tied_tensors_come_back_tied(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_name()
        net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
        net[1].weight = net[0].weight
        hansard.save_model(name, net, client=client)
        loaded = hansard.load_model(name, client=client)
        assert loaded["1.weight"].data_ptr() == loaded["0.weight"].data_ptr()
        assert loaded.keys() == net.state_dict().keys()

    await blocking(address, story)


async def test_types_that_numpy_lacks_are_refused_there_and_loaded_by_torch(
    address: Address,
) -> None:
    def story(client: Client) -> None:
        name = a_name()
        half = torch.randn(7).to(torch.bfloat16)
        small = torch.randn(7).to(torch.float8_e4m3fn)
        hansard.save_model(name, {"half": half, "small": small}, client=client)
        loaded = hansard.load_model(name, client=client)
        assert torch.equal(loaded["half"], half)
        assert torch.equal(loaded["small"].view(torch.uint8), small.view(torch.uint8))
        with pytest.raises(TensorError, match="install torch"):
            hansard.load_model(name, framework="numpy", client=client)

    await blocking(address, story)


async def test_shards_are_one_model_and_other_files_go_along(
    address: Address, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for number in (1, 2):
        shard = {f"layer.{number}.weight": torch.full((40, 40), float(number))}
        shard[f"mark.{number}"] = torch.randn(9)
        safetensors.torch.save_file(shard, folder / f"model-{number}.safetensors")
    (folder / "config.json").write_text(f'"{a_name()}"')

    def story(client: Client) -> None:
        name = a_name()
        pushed = hansard.save_model(name, folder, client=client)
        loaded = hansard.load_model(name, client=client)
        assert sorted(loaded) == ["layer.1.weight", "layer.2.weight", "mark.1", "mark.2"]
        assert loaded["layer.2.weight"].mean() == 2
        assert pushed.content is not None
        listed = [file.path for file in client.artifacts.files(pushed.content.artifact)]
        assert listed == ["config.json", "model-1.safetensors", "model-2.safetensors"]

    await blocking(address, story)


async def test_a_flipped_byte_in_the_cache_is_noticed_and_healed(
    address: Address, tmp_path: Path, cache_folder: Path
) -> None:
    def story(client: Client) -> None:
        name, wanted = a_name(), {"w": torch.randn(600, 600)}
        hansard.save_model(name, wanted, client=client)
        hansard.load_model(name, client=client)
        part = max((cache_folder / "parts").rglob("*"), key=lambda path: path.stat().st_size)
        times = part.stat()
        flip(part)
        assert torch.equal(hansard.load_model(name, client=client)["w"], wanted["w"])
        flip(part)
        os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))  # bits rot without a trace
        assert not torch.equal(hansard.load_model(name, client=client)["w"], wanted["w"])
        client.models.pull(name, tmp_path / "out")
        found = safetensors.torch.load_file(tmp_path / "out" / "model.safetensors")
        assert torch.equal(found["w"], wanted["w"])
        settled()
        flip(part)
        os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert torch.equal(hansard.load_model(name, client=client, verify=True)["w"], wanted["w"])

    await blocking(address, story)


def settled() -> None:
    """Wait until what was pulled is in the cache, which a pull does not wait for."""
    for thread in threading.enumerate():
        if thread.name == "hansard-cache":
            thread.join()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)


async def test_a_map_outlives_the_eviction_of_its_file(
    address: Address, cache_folder: Path
) -> None:
    def story(client: Client) -> None:
        name, wanted = a_name(), {"w": torch.randn(610, 610)}
        hansard.save_model(name, wanted, client=client)
        loaded = hansard.load_model(name, client=client)
        Cache(max_mb=0).trim()
        assert not [path for path in (cache_folder / "parts").rglob("*") if path.is_file()]
        assert torch.equal(loaded["w"], wanted["w"])
        assert torch.equal(hansard.load_model(name, client=client)["w"], wanted["w"])

    await blocking(address, story)


async def test_only_the_new_head_is_fetched_and_few_questions_are_asked(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(client: Client) -> None:
        name = a_name()
        tensors = {f"layer.{n}.w{k}": torch.randn(64, 64) for n in range(3) for k in range(6)}
        hansard.save_model(name, {**tensors, "head": torch.zeros(9)}, client=client)
        hansard.load_model(name, client=client)
        second = hansard.save_model(name, {**tensors, "head": torch.ones(9)}, client=client)
        assert second.sent < 10_000
        assert second.content is not None
        with counted_questions(monkeypatch) as seen:
            loaded = hansard.load_model(second.id, client=client)
        artifact = second.content.artifact
        assert seen == [
            f"GET /v1/artifacts/{artifact}/layout",
            f"POST /v1/artifacts/{artifact}/get",
        ]
        assert (loaded["head"] == 1).all()
        with counted_questions(monkeypatch) as seen:
            hansard.load_model(second.id, client=client)
        assert seen == [f"GET /v1/artifacts/{artifact}/layout"]

    await blocking(address, story)
