"""Where the parts of a local run come from: folders of code, or versions of a platform."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansard.client_errors import HansardError
from hansard.formats.archive import decode
from hansard.formats.bundle import Base, BundleContents, pack
from hansard.formats.layers import merged
from hansard.formats.project import read_project

if TYPE_CHECKING:
    from hansard.client import Client, Version

Connect = Callable[[], "Client"]
"""A client of the platform; asked for only where a part is no folder."""


@dataclass(frozen=True, slots=True)
class LocalPart:
    """Code, and the weights that go with it: a function that puts them into a new folder."""

    digest: str
    contents: BundleContents
    place_weights: Callable[[Path], Any] | None = None


def find_part(reference: str, connect: Connect) -> LocalPart:
    """A folder with code if there is one of this name, else the version that the name means.

    Raises BundleError for code that cannot be packed, HansardError for what is not there.
    """
    folder = Path(reference)
    if folder.is_dir():
        base = base_of(folder, connect)
        bundle = pack(folder, base=base)
        files = merged([base.contents.files if base else {}, decode(bundle.data)])
        return LocalPart(bundle.digest, BundleContents(bundle.manifest, files))
    if _names_a_folder(reference):
        raise HansardError(f"there is no folder `{reference}`")
    client = connect()
    return _of_version(client, client.version(reference))


def base_of(folder: Path, connect: Connect) -> Base | None:
    """The version that a folder's settings say it extends. Raises BundleError, HansardError."""
    reference = read_project(folder).base
    if reference is None:
        return None
    client = connect()
    version = client.version(reference)
    contents = client.versions.sources(version.id)
    assert version.source is not None  # or it would have no sources
    return Base(version.id, version.source["bundle"], contents)


def _names_a_folder(reference: str) -> bool:
    """Whether it is written as a path: `model/NAME` is none."""
    return reference.startswith((".", "/", "~"))


def _of_version(client: "Client", version: "Version") -> LocalPart:
    contents = client.versions.sources(version.id)
    assert version.source is not None  # or it would have no sources
    kept = version.content is not None or version.artifacts
    weights = (lambda folder: client.download(version, folder)) if kept else None
    return LocalPart(version.source["bundle"], contents, weights)
