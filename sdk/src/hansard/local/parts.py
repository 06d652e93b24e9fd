"""Where the parts of a local run come from: folders of code, or versions of a platform."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansard.client_errors import HansardError
from hansard.formats.bundle import BundleContents, pack, read

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
        bundle = pack(folder)
        return LocalPart(bundle.digest, read(bundle.data))
    if _names_a_folder(reference):
        raise HansardError(f"there is no folder `{reference}`")
    client = connect()
    return _of_version(client, client.version(reference))


def _names_a_folder(reference: str) -> bool:
    """Whether it is written as a path: `model/NAME` is none."""
    return reference.startswith((".", "/", "~"))


def _of_version(client: "Client", version: "Version") -> LocalPart:
    if version.source is None:
        raise HansardError(f"version {version.number} ({version.id}) has no code that could run")
    contents = read(client.versions.code(version.id))
    kept = version.content is not None or version.artifacts
    weights = (lambda folder: client.download(version, folder)) if kept else None
    return LocalPart(version.source["bundle"], contents, weights)
