"""Fetches and keeps artifacts for one attempt, with the token of its run.

To be imported when there is something to fetch or keep: what it needs takes 40 ms to load.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from hansard.artifacts.assembling import assemble
from hansard.artifacts.cache import Cache
from hansard.artifacts.layout import fetch_layout
from hansard.artifacts.link import Link
from hansard.artifacts.pulling import pull
from hansard.artifacts.uploading import Committed, Upload
from hansard.client_errors import Corrupt, Refused, Unreachable
from hansard.formats.paths import check_paths
from workers.faults import PlatformFault, StepFault

MAX_HINTS = 16

_TRIES = 3
_READ_ONLY = 0o444


class ArtifactsUnavailable(PlatformFault):
    """The platform is out of reach, refuses, or hands out what is not what was asked for."""


class FilesRefused(StepFault):
    """The platform keeps no files of this kind; ``reasons`` has why, by path."""

    def __init__(self, detail: str, reasons: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.reasons = reasons


class ArtifactPlacer(Protocol):
    """Where the content of versions comes from."""

    def place(self, content: Mapping[str, Any], folder: Path) -> None:
        """Put the files of a version's content in a new folder."""


class ArtifactKeeper(Protocol):
    """Where files that a run leaves go."""

    def keep(self, files: Mapping[str, Path], like: Sequence[str] = ()) -> Committed:
        """Keep files, given by their path in the artifact, as one artifact."""


class ArtifactClient:
    """``cache`` is a folder that all attempts of the node share.

    ``between`` is called before each request and may raise to give up.
    """

    def __init__(self, url: str, token: str, cache: Path, between: Callable[[], None]) -> None:
        self._link = Link(url, token, between=between)
        self._cache = cache

    def close(self) -> None:
        """Close all connections."""
        self._link.close()

    def place(self, content: Mapping[str, Any], folder: Path) -> None:
        """Put the files of a version's content in a new folder, as copies that cannot be written.

        Raises ArtifactsUnavailable, and OSError if the disk is full.
        """
        with _told("hand out an artifact"):
            for tried in range(1, _TRIES + 1):
                try:
                    self._place(content, folder)
                    break
                except FileNotFoundError:  # another attempt has evicted a part meanwhile
                    if tried == _TRIES:
                        raise

    def _place(self, content: Mapping[str, Any], folder: Path) -> None:
        cache, id_ = Cache(self._cache), content["artifact"]
        layout = fetch_layout(self._link, id_, cache, content["root"])
        pull(self._link, id_, layout, cache, folder)
        for file in layout.files:
            (folder / file.path).chmod(_READ_ONLY)

    def keep(self, files: Mapping[str, Path], like: Sequence[str] = ()) -> Committed:
        """Keep files, given by their path in the artifact, as one artifact; nothing may write them.

        ``like`` names artifacts with similar content. Raises FilesRefused, ArtifactsUnavailable,
        BundleError for paths that are not accepted, FileChanged and OSError.
        """
        check_paths(files)
        ordered = dict(sorted(files.items(), key=lambda item: item[0].encode()))
        upload = Upload(self._link, assemble(ordered, None), like=like[:MAX_HINTS])
        with _told("keep an artifact"):
            return upload.run(None)


@contextmanager
def _told(deed: str) -> Iterator[None]:
    """What the platform answers, as a fault."""
    try:
        yield
    except Refused as refused:
        if refused.code == "format-refused":
            reasons = {each["path"]: each["reason"] for each in refused.members["files"]}
            raise FilesRefused(refused.detail, reasons) from None
        answer = f"status {refused.status}, {refused.detail}"
        raise ArtifactsUnavailable(f"the platform refused to {deed}: {answer}") from None
    except (Unreachable, Corrupt) as error:
        raise ArtifactsUnavailable(str(error)) from None
