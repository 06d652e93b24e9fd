"""The environment of a step: found at once when it is built, else built while cancel is watched."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from infra.environments.variants import CPU, chosen
from workers.faults import PlatformFault, StepFault

_WATCH_S = 0.1


@contextmanager
def environment(
    root: Path,
    lock_digest: str,
    lock: Callable[[], bytes],
    watch: Callable[[bool], None],
    most_mb: int = 0,
    variant: str = CPU,
) -> Iterator[Path]:
    """The python of a lock's environment, safe from eviction during the block.

    ``lock_digest`` names the file whose content ``lock`` fetches; of its locks that one is taken
    which suits ``variant`` best. ``watch(True)`` is called when a
    build begins and ``watch(False)`` often while it goes on; it may raise to give up waiting (the
    build goes on and is there for the next one). After a build, environments that were unused for
    longest are removed until all take ``most_mb`` at most, if that is not 0. Raises StepFault or
    PlatformFault.
    """
    note = root / "known" / (lock_digest if variant == CPU else f"{lock_digest}.{variant}")
    while (python := _held(root, note)) is None:
        _build(root, note, suiting(lock(), variant), watch, most_mb)
    path, descriptor = python
    try:
        yield path
    finally:
        os.close(descriptor)


def suiting(document: bytes, variant: str) -> dict[str, Any]:
    """The lock for a node of this variant. Raises StepFault if it takes none of them."""
    try:
        return chosen(document, variant)
    except LookupError as error:
        raise StepFault(f"the environment cannot be built: {error.args[0]}") from None


def facts(python: Path) -> dict[str, Any]:
    """What the store recorded of an environment."""
    recorded: dict[str, Any] = json.loads((python.parents[1] / "facts.json").read_bytes())
    return {**recorded, "environment": python.parents[1].name}


def _held(root: Path, note: Path) -> tuple[Path, int] | None:
    """A known environment under a shared lock, as `EnvironmentStore.use` holds it.

    Done here since importing the store costs more than everything else a launcher does.
    """
    try:
        digest = note.read_text()
        descriptor = os.open(root / "locks" / f"{digest}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    built = root / "built" / digest
    if not built.exists():
        os.close(descriptor)
        return None
    os.utime(built)  # the store evicts what was unused for longest
    return built / "bin" / "python", descriptor


def _build(
    root: Path, note: Path, lock: dict[str, Any], watch: Callable[[bool], None], most_mb: int
) -> None:
    watch(True)
    outcome: list[str | BaseException] = []
    builder = Thread(target=_ensure, args=(root, lock, outcome, most_mb), daemon=True)
    builder.start()
    while not outcome:
        watch(False)
        builder.join(_WATCH_S)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    note.parent.mkdir(parents=True, exist_ok=True)
    part = note.with_name(f".{note.name}.{os.getpid()}")
    part.write_text(outcome[0])
    part.rename(note)


def _ensure(
    root: Path, members: dict[str, Any], outcome: list[str | BaseException], most_mb: int
) -> None:
    """Build the environment; its digest, or why not, goes into ``outcome``. Then make room."""
    # Imported only where something is built: structlog, uv and packaging take 150 ms.
    from infra.environments.locks import Lock, PackagesFailed  # noqa: PLC0415
    from infra.environments.store import EnvironmentStore, sdk_wheel  # noqa: PLC0415

    try:
        lock = Lock(**members)
        store = EnvironmentStore(root, sdk_wheel(root))
        store.ensure(lock)
        outcome.append(lock.digest)
        if most_mb:
            store.evict(most_mb << 20, in_use=[lock.digest])
    except PackagesFailed as failed:
        fault = PlatformFault if failed.retryable else StepFault
        outcome.append(fault(f"the environment cannot be built: {failed.detail}"))
    except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
        outcome.append(error)
