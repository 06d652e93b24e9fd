"""Where verification reads: a running platform, or a broker over a copy of a folder that rests."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer


class NoRecord(Exception):
    """There is no record in a folder, or no room for the copy that is read."""


@contextmanager
def copied_record(folder: Path) -> Iterator[str]:
    """The address of a broker over a copy of the record in a folder, for the time of the context.

    The folder is a data folder, its `nats`, or a broker's store. A copy, because a broker repairs
    what it finds damaged: it would change the evidence. Raises NoRecord.
    """
    store = _store(folder)
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    with tempfile.TemporaryDirectory(prefix="hansard-audit-") as path:
        if shutil.disk_usage(path).free < size:
            raise NoRecord(f"a copy of {size >> 20} MB has no room in {path}: set TMPDIR")
        with DataFolder(Path(path) / "data") as own:
            shutil.copytree(store, own.folder("nats") / "store" / "jetstream")
            server = NatsServer(own)
            try:
                server.start()
                yield server.url("reader")
            finally:
                server.stop()


def is_running(folder: Path) -> bool:
    """Whether a platform works on a data folder at this moment."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _store(folder: Path) -> Path:
    """The broker's files in any of the folders that hold them."""
    for inner in ("nats/store/jetstream", "store/jetstream", "jetstream", "."):
        found = folder / inner
        if (found / "$G" / "streams" / "EVENTS").is_dir():
            return found
    raise NoRecord(f"{folder} holds no record: give a data folder or a copy of one")
