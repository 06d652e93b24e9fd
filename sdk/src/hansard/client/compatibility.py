"""What fits where, as resources: candidates of slots, executors of versions, and differences."""

from typing import Any, Literal

from hansard.client import reference
from hansard.client.compatibility_results import Candidate, Difference, Taker
from hansard.client.effect import Emission, Flow
from hansard.client.listing import pages
from hansard.client.operation import S, iteration, operation
from hansard.client.resources import Abstractions

Asked = Literal["possible", "fits", "unchecked", "refused"]


class Coded(Abstractions[S]):
    """What has versions that are code."""

    @operation
    def difference(self, ref: str, old: int | None = None) -> Flow[Difference]:
        """What changed in a version for those who use it, as a step of SemVer.

        `ref` is `NAME:3`, or `NAME` for the newest; it is compared with version `old`, or the one
        before it. Raises NotFound.
        """
        row = yield from reference.version_row(self._session, (self.kind,), ref)
        query = {"new": row["number"], "old": old}
        answer = yield from self._session.get(self._path(row["abstraction"], "difference"), query)
        return Difference.model_validate(answer)


class Parts(Coded[S]):
    """What fills slots of executors."""

    @iteration
    def executors(
        self,
        ref: str,
        /,
        *,
        verdict: Asked = "possible",
        filter: str | None = None,  # noqa: A002 - as the API calls it
        sort: str | None = None,
    ) -> Emission[Taker]:
        """The versions of executors with a slot that a version can fill, newest first.

        `possible` are those that fit and those that nobody has checked. Raises NotFound, Invalid.
        """
        row = yield from reference.version_row(self._session, (self.kind,), ref)
        query = _query(row, verdict, filter, sort)
        yield from pages(self._session, self._path(row["abstraction"], "executors"), query, Taker)


class Executors(Coded[S]):
    """Jobs with slots."""

    kind = "executor"

    @iteration
    def candidates(
        self,
        ref: str,
        slot: str,
        /,
        *,
        verdict: Asked = "possible",
        filter: str | None = None,  # noqa: A002 - as the API calls it
        sort: str | None = None,
    ) -> Emission[Candidate]:
        """The versions that can fill a slot of an executor, newest first, each with its verdict.

        `possible` are those that fit and those that nobody has checked. Raises NotFound, Invalid.
        """
        row = yield from reference.version_row(self._session, (self.kind,), ref)
        path = self._path(row["abstraction"], "slots", slot, "candidates")
        yield from pages(self._session, path, _query(row, verdict, filter, sort), Candidate)


class Loaders(Parts[S]):
    """Dataset loaders."""

    kind = "loader"


def _query(
    row: dict[str, Any], verdict: Asked, condition: str | None, sort: str | None
) -> dict[str, Any]:
    return {"number": row["number"], "verdict": verdict, "filter": condition, "sort": sort}
