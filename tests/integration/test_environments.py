"""Locks and environments by the real uv, with small real wheels of the configured index."""

import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import infra.environments.locks
from infra.environments.locks import Lock, LockFailed, lock
from infra.environments.pip_settings import PipSettings
from infra.environments.store import EnvironmentFailed, EnvironmentStore, sdk_wheel

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
ENSURE = """
import json, sys
from pathlib import Path
from infra.environments.store import EnvironmentStore
from infra.environments.locks import Lock
root, wheel, cache, lock = sys.argv[1:]
store = EnvironmentStore(Path(root), Path(wheel), cache=Path(cache))
print(store.ensure(Lock(**json.loads(lock))))
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose cache all these tests share."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="module")
def wheel(shared: Path) -> Path:
    return sdk_wheel(shared)


@pytest.fixture
def store(tmp_path: Path, shared: Path, wheel: Path) -> EnvironmentStore:
    return EnvironmentStore(tmp_path, wheel, cache=shared / "cache", compile_bytecode=False)


@pytest.fixture
def children() -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for child in started:
        child.kill()
        child.communicate()


def locked(store: EnvironmentStore, wheel: Path, *requirements: str) -> Lock:
    return lock(requirements, python=HERE, sdk_wheel=wheel, cache=store.cache)


def refusal(store: EnvironmentStore, wheel: Path, *requirements: str) -> str:
    with pytest.raises(LockFailed) as caught:
        locked(store, wheel, *requirements)
    assert not caught.value.retryable
    return caught.value.detail


def builder(
    root: Path, wheel: Path, store: EnvironmentStore, pinned: Lock
) -> "subprocess.Popen[str]":
    arguments = (str(root), str(wheel), str(store.cache), json.dumps(asdict(pinned)))
    return subprocess.Popen(
        (sys.executable, "-c", ENSURE, *arguments), stdout=subprocess.PIPE, text=True
    )


def write_wheel(folder: Path, name: str, needs: str) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as file:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{needs}"
        file.writestr(f"{name}-1.dist-info/METADATA", about)
        file.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{name}-1.dist-info/RECORD", "")


def entries(root: Path) -> list[str]:
    return [path.name for path in (root / "built").iterdir()]


def test_a_lock_names_versions_and_hashes_whatever_the_order(
    store: EnvironmentStore, wheel: Path
) -> None:
    one = locked(store, wheel, "idna==3.10", "iniconfig")
    other = locked(store, wheel, "iniconfig", "idna == 3.10", "idna==3.10")
    assert one == other
    assert one.text.startswith("idna==3.10 \\\n    --hash=sha256:")


def test_a_version_that_does_not_exist_is_named(store: EnvironmentStore, wheel: Path) -> None:
    detail = refusal(store, wheel, "idna==99.1")
    assert "there is no version of idna==99.1" in detail


def test_two_bundles_in_conflict_are_told_why(store: EnvironmentStore, wheel: Path) -> None:
    detail = refusal(store, wheel, "idna==3.10", "idna<3")
    assert "cannot be met" in detail
    assert "idna==3.10" in detail
    assert "idna<3" in detail


def test_a_package_without_wheels_is_refused(store: EnvironmentStore, wheel: Path) -> None:
    assert "docopt==0.6.2 has no usable wheels" in refusal(store, wheel, "docopt==0.6.2")


def test_packages_of_the_users_own_folder_are_found_but_never_a_stranger_called_hansard(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my wheels, all"
    write_wheel(folder, "honest", needs="")
    write_wheel(folder, "sly", needs="Requires-Dist: hansard\n")
    write_wheel(folder, "hansard", needs="")
    settings = PipSettings(no_index=True, find_links=(str(folder),))
    monkeypatch.setattr(infra.environments.locks, "pip_settings", lambda: settings)
    found = lock(["honest"], python=HERE, sdk_wheel=wheel, cache=tmp_path / "cache")
    assert found.text.startswith("honest==1 \\\n    --hash=sha256:")
    with pytest.raises(LockFailed, match="`hansard`, which is never taken from an index"):
        lock(["sly"], python=HERE, sdk_wheel=wheel, cache=tmp_path / "cache")


def test_an_environment_has_the_sdk_and_what_was_locked_and_nothing_of_the_server(
    store: EnvironmentStore, wheel: Path
) -> None:
    python = store.ensure(locked(store, wheel, "idna==3.10"))
    code = """
import importlib.util, idna, hansard
names = ("domain", "api", "infra", "workers", "policies", "projections", "ray", "nats", "pip")
print(idna.__version__, [name for name in names if importlib.util.find_spec(name)])
"""
    command = (python, "-I", "-c", code)
    assert subprocess.check_output(command, text=True).strip() == "3.10 []"


def test_an_environment_says_what_it_is(store: EnvironmentStore, wheel: Path) -> None:
    pinned = locked(store, wheel, "idna==3.10")
    folder = store.ensure(pinned).parents[1]
    assert folder.name == pinned.digest
    assert (folder / "lock.txt").read_text() == pinned.text
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["python"].startswith(f"{HERE}.")
    assert facts["size_bytes"] > 100_000
    assert 0 < facts["built_s"] < 60


def test_files_of_an_environment_are_links_into_the_cache(
    store: EnvironmentStore, wheel: Path
) -> None:
    folder = store.ensure(locked(store, wheel, "idna==3.10")).parents[1]
    assert next(folder.rglob("idna/core.py")).stat().st_nlink > 1


def test_an_environment_that_exists_is_answered_within_5_ms(
    store: EnvironmentStore, wheel: Path
) -> None:
    pinned = locked(store, wheel, "idna==3.10")
    store.ensure(pinned)
    times_s = []
    for _ in range(21):
        started = time.perf_counter()
        store.ensure(pinned)
        times_s.append(time.perf_counter() - started)
    assert sorted(times_s)[10] <= 0.005


def test_a_file_with_another_hash_is_not_installed_and_nothing_is_left(
    store: EnvironmentStore, wheel: Path, tmp_path: Path
) -> None:
    pinned = locked(store, wheel, "iniconfig==2.0.0")
    name = pinned.text.splitlines()[0]
    forged = replace(pinned, text=f"{name}\n    --hash=sha256:{'00' * 32}\n")
    with pytest.raises(EnvironmentFailed, match=r"(?i)hash mismatch for `iniconfig==2\.0\.0`"):
        store.ensure(forged)
    assert entries(tmp_path) == []


def test_a_file_without_a_hash_is_not_installed(store: EnvironmentStore, wheel: Path) -> None:
    unhashed = replace(locked(store, wheel), text="iniconfig==2.0.0\n")
    with pytest.raises(EnvironmentFailed, match="hash"):
        store.ensure(unhashed)


def test_a_lock_for_another_sdk_is_refused(store: EnvironmentStore, wheel: Path) -> None:
    pinned = replace(locked(store, wheel), sdk="00" * 32)
    with pytest.raises(EnvironmentFailed, match="lock again"):
        store.ensure(pinned)


def test_two_processes_build_the_same_environment_once(
    store: EnvironmentStore, wheel: Path, tmp_path: Path, children: list["subprocess.Popen[str]"]
) -> None:
    pinned = locked(store, wheel, "idna==3.10", "iniconfig")
    children.extend(builder(tmp_path, wheel, store, pinned) for _ in range(2))
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert "".join(outputs).count("environment_built") == 1
    assert entries(tmp_path) == [pinned.digest]


def test_a_builder_killed_half_way_leaves_nothing_that_counts(
    store: EnvironmentStore, wheel: Path, tmp_path: Path, children: list["subprocess.Popen[str]"]
) -> None:
    pinned = locked(store, wheel, "pygments==2.19.1")  # enough files to be caught in the act
    child = builder(tmp_path, wheel, store, pinned)
    children.append(child)
    partial = tmp_path / "built" / f".partial-{pinned.digest}"
    deadline = time.monotonic() + 30
    while not (partial / "bin").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert entries(tmp_path) == [partial.name]
    python = store.ensure(pinned)
    assert subprocess.run((python, "-I", "-c", "import pygments"), check=False).returncode == 0
    assert entries(tmp_path) == [pinned.digest]


def test_eviction_removes_the_longest_unused_and_spares_those_in_use(
    store: EnvironmentStore, wheel: Path, tmp_path: Path
) -> None:
    held, old, fresh, named = (
        locked(store, wheel, *wish)
        for wish in (("idna==3.10",), ("idna",), ("iniconfig",), ("idna", "iniconfig"))
    )
    for pinned in (old, held, named, fresh):
        store.ensure(pinned)
    with store.use(held) as python:
        assert store.evict(1 << 40) == []
        assert store.evict(0, in_use={named.digest}) == [old.digest, fresh.digest]
        assert subprocess.run((python, "-c", "import idna"), check=False).returncode == 0
    assert sorted(store.evict(0)) == sorted([held.digest, named.digest])
    assert entries(tmp_path) == []


def test_eviction_sweeps_what_a_crash_has_left(store: EnvironmentStore, tmp_path: Path) -> None:
    (tmp_path / "built" / f".partial-{'0' * 64}" / "bin").mkdir(parents=True)
    assert store.evict(0) == []
    assert entries(tmp_path) == []


def test_the_wheel_of_the_sdk_is_built_again_only_when_its_sources_change(
    shared: Path, tmp_path: Path
) -> None:
    sources = tmp_path / "sdk"
    package = sources / "src" / "hansard"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    project = Path(__file__).parents[2] / "sdk" / "pyproject.toml"
    (sources / "pyproject.toml").write_text(project.read_text())
    first = sdk_wheel(shared, sources)
    built_ns = first.stat().st_mtime_ns
    assert sdk_wheel(shared, sources) == first
    assert first.stat().st_mtime_ns == built_ns
    (package / "new.py").write_text("x = 1\n")
    assert sdk_wheel(shared, sources) != first


def test_the_wheel_of_the_sdk_is_the_same_wherever_it_is_built(
    shared: Path, wheel: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").symlink_to(shared / "cache")
    assert sdk_wheel(tmp_path).read_bytes() == wheel.read_bytes()


@pytest.mark.slow
def test_an_index_out_of_reach_is_told_without_its_address_and_may_be_tried_again(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PipSettings(index="http://me:secret@127.0.0.1:9/simple")
    monkeypatch.setattr(infra.environments.locks, "pip_settings", lambda: settings)
    with pytest.raises(LockFailed, match="index could not be reached") as caught:
        lock(["idna"], python=HERE, sdk_wheel=wheel, cache=tmp_path)
    assert caught.value.retryable
    assert "127.0.0.1" not in caught.value.detail
    assert "secret" not in caught.value.detail


@pytest.mark.slow
def test_torch_locks_to_a_build_for_the_cpu_and_computes(
    store: EnvironmentStore, wheel: Path
) -> None:
    try:
        torch_lock = locked(store, wheel, "torch==2.13.0", "numpy")
    except LockFailed as problem:
        if "no version of torch" in problem.detail or "no usable wheels" in problem.detail:
            pytest.skip(problem.detail)
        raise
    assert "nvidia" not in torch_lock.text
    code = "import torch; print(int(torch.ones(3).sum()), torch.version.cuda)"
    command = (store.ensure(torch_lock), "-I", "-c", code)
    assert subprocess.check_output(command, text=True).strip() == "3 None"
