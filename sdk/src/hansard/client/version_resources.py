"""Versions of everything, and the bytes that the platform keeps, as resources."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hansard.client import reference
from hansard.client.content_results import Deleted, StoredFile
from hansard.client.downloading import sources
from hansard.client.effect import Emission, Emit, Flow
from hansard.client.listing import Listed
from hansard.client.operation import Bound, S, iteration, operation
from hansard.client.results import Version
from hansard.formats.bundle import BundleContents

_PAGE = 1000


class Versions(Listed[S, Version]):
    """Versions of everything; `abstraction=`, `kind=`, `format=` and `quality=` choose some.

    References are ids, or `model/NAME:3`, `dataset/NAME@prod` and the like.
    """

    kind = "version"
    result = Version

    @operation
    def get(self, ref: str) -> Flow[Version]:
        """The whole version. Raises NotFound."""
        id_ = yield from self._version(ref)
        return (yield from self._read(id_))

    @operation
    def sources(self, ref: str) -> Flow[BundleContents]:
        """The code of a version: its manifest and files, with those of what it extends.

        Raises NotFound, also where it has none, and Corrupt.
        """
        version = yield from Versions.get.flow(self, ref)
        return (yield from sources(self._session, version))

    @operation
    def annotate(
        self,
        ref: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        card: str | None = None,
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Flow[Version]:
        """Say something else of it, each member whole; what is None stays. Raises Invalid."""
        change = {
            "description": description,
            "tags": tags,
            "card": card,
            "metrics": metrics,
            "parameters": parameters,
        }
        body = {name: value for name, value in change.items() if value is not None}
        return (yield from self._say("PATCH", ref, "", body))

    @operation
    def delete(self, ref: str, reason: str) -> Flow[Deleted]:
        """Give its bytes up; answers how many the store regains. It cannot be undone.

        Raises Conflict `aliased`, `held`, `retained`.
        """
        id_ = yield from self._version(ref)
        body = {"reason": reason}
        answer = yield from self._session.write("DELETE", self._path(id_), body, key=True)
        return Deleted.model_validate(answer)

    @operation
    def hold(self, ref: str, reason: str) -> Flow[Version]:
        """Keep its bytes until the hold is released. Raises Forbidden."""
        return (yield from self._say("PUT", ref, "hold", {"reason": reason}))

    @operation
    def release(self, ref: str, reason: str) -> Flow[Version]:
        """End the hold. Raises Forbidden, Conflict."""
        return (yield from self._say("DELETE", ref, "hold", {"reason": reason}))

    @operation
    def retain(self, ref: str, until: datetime | timedelta) -> Flow[Version]:
        """Keep its bytes at least until a time, or for so long; it cannot be taken back.

        A time without a zone is local. Raises Forbidden, Conflict.
        """
        time = datetime.now(UTC) + until if isinstance(until, timedelta) else until
        body = {"until": time.astimezone(UTC).isoformat()}
        return (yield from self._say("PUT", ref, "retention", body))

    def _say(self, method: str, ref: str, part: str, body: Mapping[str, Any]) -> Flow[Version]:
        id_ = yield from self._version(ref)
        path = self._path(id_, part) if part else self._path(id_)
        yield from self._session.write(method, path, body, key=True)
        return (yield from self._read(id_))

    def _version(self, ref: str) -> Flow[str]:
        if reference.id_kind(ref) == "version":
            return ref
        row = yield from reference.version_row(self._session, reference.VERSIONED, ref)
        return str(row["id"])


class Artifacts(Bound[S]):
    """Bytes that the platform keeps."""

    @iteration
    def files(self, artifact: str) -> Emission[StoredFile]:
        """The files of an artifact, by path. Raises NotFound."""
        after: str | None = None
        while True:
            query = {"limit": _PAGE, "after": after}
            answer = yield from self._session.get(f"/v1/artifacts/{artifact}/files", query)
            for item in answer["items"]:
                yield Emit(StoredFile.model_validate(item))
            after = answer["next_after"]
            if after is None:
                return
