"""The environments of a node: one per lock, shared by all runs, built whole or not at all.

An environment holds what its lock names and the SDK, and no server package. Layout of the root:
`built/<digest>/` (a virtual environment, lock.txt, facts.json), `locks/`, `sdk/` and uv's `cache/`,
which is on the same disk so that files are hard links.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from infra.environments.bytecode import add_bytecode, drop_unused
from infra.environments.locks import Lock, PackagesFailed, file_digest, run_uv
from infra.environments.pip_settings import pip_settings

logger = structlog.get_logger(__name__)

BUILD_TIMEOUT_S = 1800.0
PRUNE_TIMEOUT_S = 600.0
SDK_BUILD_TIMEOUT_S = 300.0
PARTIAL = ".partial-"
SHIPPED_WHEELS = Path(__file__).with_name("wheels")
SDK_SOURCES = Path(__file__).parents[2] / "sdk"


class EnvironmentFailed(PackagesFailed):
    """An environment (or the SDK's wheel) could not be built; nothing of it is left."""

    code = "environment_failed"


@dataclass(frozen=True, slots=True)
class Built:
    """An environment that is there; its size counts files that others share."""

    digest: str
    python: str
    variant: str
    size_bytes: int
    used_at: float  # Unix time


class EnvironmentStore:
    """Builds, keeps and evicts environments under `root`; safe for any number of processes.

    `cache` is uv's cache (give another folder of the same disk to share one). Bytecode is compiled
    once here, since steps see the environment read-only: `import torch` takes half the time then.
    """

    def __init__(
        self,
        root: Path,
        sdk_wheel: Path,
        *,
        cache: Path | None = None,
        compile_bytecode: bool = True,
    ) -> None:
        self.cache = cache or root / "cache"
        self._bytecode = self.cache / "bytecode"
        self._built = root / "built"
        self._locks = root / "locks"
        self._sdk_wheel = sdk_wheel.absolute()
        self._sdk_digest = file_digest(sdk_wheel)
        self._compile_bytecode = compile_bytecode
        self._built.mkdir(parents=True, exist_ok=True)

    def ensure(self, lock: Lock, *, timeout_s: float = BUILD_TIMEOUT_S) -> Path:
        """The python of the lock's environment, built first if need be (by one process at a time).

        Blocks. An environment may be evicted once nobody holds it: run steps within `use`.
        Raises EnvironmentFailed.
        """
        digest = lock.digest
        if not self._touch(digest):
            with _locked(self._lock_path(digest), fcntl.LOCK_EX) as held:
                if not self._touch(digest):
                    self._build(lock, timeout_s, held)
        return self._python(digest)

    @contextmanager
    def use(self, lock: Lock) -> Iterator[Path]:
        """As `ensure`, and keeps the environment from eviction until the block is left."""
        while True:
            python = self.ensure(lock)
            with _locked(self._lock_path(lock.digest), fcntl.LOCK_SH):
                if python.exists():  # not evicted between the two lines above
                    yield python
                    return

    def listed(self) -> list[Built]:
        """What is built, longest unused first."""
        found = []
        for path in self._built.glob("*/facts.json"):
            with suppress(FileNotFoundError):  # it is evicted just now
                facts, digest = json.loads(path.read_text()), path.parent.name
                size, used_at = facts["size_bytes"], self._last_used(digest)
                found.append(Built(digest, facts["python"], facts["variant"], size, used_at))
        return sorted(found, key=lambda built: built.used_at)

    def evict(self, max_bytes: int, in_use: Collection[str] = ()) -> list[str]:
        """Remove environments, longest unused first, until all take `max_bytes` at most.

        Spares those within `use` in any process and the digests named. Returns the digests removed.
        """
        with _locked(self._locks / "evict.lock", fcntl.LOCK_EX):
            self._sweep()
            removed = self._evict(max_bytes, in_use)
        if removed:
            self._release_cache()
            logger.info("environments_evicted", environment_count=len(removed))
        return removed

    def _evict(self, max_bytes: int, in_use: Collection[str]) -> list[str]:
        found = self.listed()
        left = sum(built.size_bytes for built in found)
        removed: list[str] = []
        for built in found:
            if left <= max_bytes:
                break
            if built.digest not in in_use and self._remove(built.digest):
                left -= built.size_bytes
                removed.append(built.digest)
        return removed

    def _build(self, lock: Lock, timeout_s: float, held: int) -> None:
        if lock.sdk != self._sdk_digest:
            raise EnvironmentFailed("the lock belongs to another version of the SDK: lock again")
        started = time.monotonic()
        partial = self._partial(lock.digest)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            self._install(lock, partial, timeout_s, held)
            _record(lock, partial, built_s=time.monotonic() - started)
        except PackagesFailed:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        os.sync()  # or a power cut could leave empty files behind the new name
        partial.rename(self._built / lock.digest)
        built_ms = round(1000 * (time.monotonic() - started))
        logger.info("environment_built", environment=lock.digest, duration_ms=built_ms)

    def _install(self, lock: Lock, folder: Path, timeout_s: float, held: int) -> None:
        # uv holds the lock file too: if this process is killed, nobody rebuilds under uv's hands.
        def run(*arguments: str, stdin: str = "") -> None:
            run_uv(
                *arguments,
                cache=self.cache,
                timeout_s=timeout_s,
                failure=EnvironmentFailed,
                stdin=stdin,
                held=(held,),
                variant=lock.variant,
            )

        # Relocatable: its scripts survive the renaming.
        interpreter = f"--python={_interpreter(lock.python)}"
        run("venv", "--no-project", "--relocatable", interpreter, str(folder))
        sdk = f"hansard @ {self._sdk_wheel.as_uri()} --hash=sha256:{self._sdk_digest}"
        run(
            *("pip", "install", "--no-deps", "--require-hashes", "--only-binary=:all:"),
            *("--link-mode=hardlink", f"--python={folder / 'bin' / 'python'}"),
            *(*pip_settings().uv_arguments(lock.variant), "--requirements=-"),
            stdin=f"{lock.text}\n{sdk}\n",
        )
        if self._compile_bytecode:
            add_bytecode(folder, self._bytecode, held=(held,))

    def _touch(self, digest: str) -> bool:
        """Note the use of an environment; False if there is none."""
        try:
            os.utime(self._built / digest)
        except FileNotFoundError:
            return False
        return True

    def _remove(self, digest: str) -> bool:
        """Remove an environment at one stroke; False if somebody uses it."""
        try:
            with _locked(self._lock_path(digest), fcntl.LOCK_EX | fcntl.LOCK_NB):
                partial = self._partial(digest)
                (self._built / digest).rename(partial)
                shutil.rmtree(partial)
        except BlockingIOError:
            return False
        return True

    def _sweep(self) -> None:
        """Remove what crashes have left, but not what is being built."""
        for partial in self._built.glob(f"{PARTIAL}*"):
            lock_path = self._lock_path(partial.name.removeprefix(PARTIAL))
            with suppress(BlockingIOError), _locked(lock_path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(partial, ignore_errors=True)

    def _release_cache(self) -> None:
        """Drop the cache's links to unpacked wheels, without which eviction would free nothing."""
        arguments = ("cache", "prune", "--ci")
        run_uv(*arguments, cache=self.cache, timeout_s=PRUNE_TIMEOUT_S, failure=EnvironmentFailed)
        drop_unused(self._bytecode)

    def _last_used(self, digest: str) -> float:
        return (self._built / digest).stat().st_mtime

    def _python(self, digest: str) -> Path:
        return self._built / digest / "bin" / "python"

    def _partial(self, digest: str) -> Path:
        return self._built / f"{PARTIAL}{digest}"

    def _lock_path(self, digest: str) -> Path:
        return self._locks / f"{digest}.lock"


def sdk_wheel(root: Path, sources: Path = SDK_SOURCES) -> Path:
    """The SDK's wheel: the one shipped with an installed server, or one built of `sources`.

    A built one is kept under `root` by the digest of the sources, so it is built again when they
    change. Raises EnvironmentFailed.
    """
    if shipped := next(SHIPPED_WHEELS.glob("hansard-*.whl"), None):
        return shipped
    if not (sources / "pyproject.toml").exists():
        raise EnvironmentFailed("this server was installed without the wheel of the SDK")
    folder = root / "sdk" / _source_digest(sources)
    with _locked(folder.with_suffix(".lock"), fcntl.LOCK_EX) as held:
        if not folder.exists():
            _build_sdk(sources, folder, cache=root / "cache", held=held)
    return next(folder.glob("hansard-*.whl"))


def _build_sdk(sources: Path, folder: Path, *, cache: Path, held: int) -> None:
    partial = folder.with_name(f"{PARTIAL}{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    run_uv(
        *("build", "--wheel", f"--out-dir={partial}", str(sources)),
        cache=cache,
        timeout_s=SDK_BUILD_TIMEOUT_S,
        failure=EnvironmentFailed,
        held=(held,),
    )
    os.sync()
    partial.rename(folder)


def _source_digest(sources: Path) -> str:
    digest = hashlib.sha256()
    files = (path for path in (sources / "src").rglob("*") if path.is_file())
    for path in sorted((sources / "pyproject.toml", *files)):
        if "__pycache__" not in path.parts:
            name = path.relative_to(sources).as_posix()
            digest.update(f"{name}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


@contextmanager
def _locked(path: Path, how: int) -> Iterator[int]:
    """Hold an advisory lock, which ends with this process and those that inherit the descriptor.

    Raises BlockingIOError if `how` has LOCK_NB and another holds it. The file is never removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)


def _interpreter(python: str) -> str:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return sys.executable if python == here else python


def _record(lock: Lock, folder: Path, *, built_s: float) -> None:
    """Leave lock.txt and facts.json: what this environment is, for people and for `evict`."""
    version = re.search(r"^version_info = (\S+)", (folder / "pyvenv.cfg").read_text(), re.MULTILINE)
    files = (path.lstat() for path in folder.rglob("*") if not path.is_dir())
    facts = {
        "python": version and version[1],
        "platform": lock.platform,
        "variant": lock.variant,
        "sdk": lock.sdk,
        "size_bytes": sum(file.st_size for file in files),
        "built_s": round(built_s, 3),
    }
    (folder / "lock.txt").write_text(lock.text)
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))
