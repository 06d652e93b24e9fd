"""Downloading files by digest, and models kept so before the store: verified, all or nothing."""

import io
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hansard.client.effect import Flow, Request, Work
from hansard.client.results import Artifact, Version
from hansard.client.session import Session
from hansard.client_errors import Corrupt, NotFound
from hansard.formats.bundle import BundleContents, read

Progress = Callable[[int], None]


def advances(on_progress: Progress | None) -> Callable[[str, int, int | None], None] | None:
    """Tells bytes since the last call where transfers tell all bytes so far."""
    if on_progress is None:
        return None
    before = 0

    def told(_: str, done: int, __: int | None) -> None:
        nonlocal before
        advanced, before = done - before, done
        on_progress(advanced)

    return told


class _VerifiedFile:
    """A sink that writes a file and digests it on the way."""

    def __init__(self, file: BinaryIO, on_progress: Progress | None) -> None:
        self._file = file
        self._on_progress = on_progress
        self.restart()

    def restart(self) -> None:
        """Begin anew: an answer was cut."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = sha256()

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        self._file.write(data)
        self._digest.update(data)
        if self._on_progress is not None:
            self._on_progress(len(data))

    def verify(self, name: str, digest: str) -> None:
        """Raise Corrupt unless this is the file that was asked for."""
        if self._digest.hexdigest() != digest:
            raise Corrupt(f"`{name}` does not have the digest {digest}")


def download(
    session: Session, version: Version, folder: Path, on_progress: Progress | None
) -> Flow[Path]:
    """All artifacts of a version in a new folder.

    Raises FileExistsError if the folder is there, NotFound if the version has no artifacts,
    Corrupt.
    """
    if not version.artifacts:
        raise NotFound(
            f"version {version.number} is code only: no run has kept a trained model in it",
            code="not-found",
            status=404,
        )
    if folder.exists():
        raise FileExistsError(f"{folder} exists already: give a folder that does not")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that the last step is one rename on one file system.
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for artifact in version.artifacts:
            yield from _fetch(session, artifact, _place(part, artifact.path), on_progress)
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def file_content(session: Session, digest: str) -> Flow[bytes]:
    """A file of the platform by its SHA-256, in memory. Raises NotFound, Corrupt."""
    with io.BytesIO() as memory:
        sink = _VerifiedFile(memory, None)
        yield from session.ask(Request("GET", f"/v1/files/{digest}", sink=sink))
        sink.verify("the file", digest)
        return memory.getvalue()


def sources(session: Session, version: Version) -> Flow[BundleContents]:
    """The code of a version, with what it extends. Raises NotFound, also without code, Corrupt."""
    if version.source is None:
        detail = f"version {version.number} ({version.id}) has no code"
        raise NotFound(detail, code="not-found", status=404)
    packed: list[bytes] = []
    for digest in (*version.source.get("layers", ()), version.source["bundle"]):
        packed += [(yield from file_content(session, digest))]
    contents: BundleContents = yield Work(partial(read, packed[-1], packed[:-1]))
    return contents


def _fetch(
    session: Session, artifact: Artifact, path: Path, on_progress: Progress | None
) -> Flow[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        sink = _VerifiedFile(file, on_progress)
        yield from session.ask(Request("GET", f"/v1/files/{artifact.digest}", sink=sink))
        sink.verify(artifact.path, artifact.digest)


def _place(folder: Path, name: str) -> Path:
    """Where an artifact goes. Raises Corrupt for a path that would lead elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name or "\0" in name:
        raise Corrupt(f"the artifact path `{name}` leads out of the folder")
    return folder / path
