"""Lists of entities of one kind: filtered, sorted, counted."""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from hansard.client import reference
from hansard.client.effect import Emission, Emit, Flow
from hansard.client.operation import Bound, S, iteration, operation
from hansard.client.results import FacetValue, Result
from hansard.client.session import Session

T = TypeVar("T", bound=Result)

_PAGE = 200


class Listed(Bound[S], Generic[S, T]):
    """Entities of one kind.

    `filter` is an expression such as `metrics.accuracy.max > 0.9 and 'prod' in tags`; further
    keywords are fields compared for equality (`name=`, `project=`, and for runs `experiment=`,
    `status=`, `executor=`, `owner=`). Raises Invalid with the place of what is wrong.
    """

    kind: ClassVar[str]
    result: type[T]

    @operation
    def get(self, ref: str) -> Flow[T]:
        """The whole entity by id. Raises NotFound."""
        id_ = yield from reference.resolve(self._session, self.kind, ref)
        return (yield from self._read(id_))

    @iteration
    def list(
        self,
        /,
        *,
        filter: str | None = None,  # noqa: A002 - as the API calls it
        sort: str | None = None,
        archived: bool = False,
        **equal: str,
    ) -> Emission[T]:
        """All entities that match, newest first, fetched page by page while iterating.

        `sort` is up to three keys such as `-metrics.accuracy.max,name`, `-` for descending; what
        lacks a key comes last.
        """
        query = {"filter": filter, "sort": sort, "archived": archived, **equal}
        yield from pages(self._session, self._path(), query, self.result)

    @operation
    def count(
        self,
        /,
        *,
        filter: str | None = None,  # noqa: A002 - as the API calls it
        archived: bool = False,
        **equal: str,
    ) -> Flow[int]:
        """How many match; 10,000 where there are more."""
        query = {"filter": filter, "archived": archived, "count": True, "limit": 1, **equal}
        answer = yield from self._session.get(self._path(), query)
        return int(answer["total"])

    @operation
    def facets(
        self,
        field: str,
        /,
        *,
        filter: str | None = None,  # noqa: A002 - as the API calls it
        archived: bool = False,
        **equal: str,
    ) -> Flow[tuple[FacetValue, ...]]:
        """How many of the first 10,000 matches have each value of a field, most first."""
        query = {"field": field, "filter": filter, "archived": archived, **equal}
        answer = yield from self._session.get(self._path("facets"), query)
        return tuple(FacetValue.model_validate(item) for item in answer["items"])

    def _path(self, *parts: str) -> str:
        return "/".join(("/v1", reference.PATHS[self.kind], *parts))

    def _read(self, id_: str) -> Flow[T]:
        answer = yield from self._session.get(self._path(id_))
        return self.result.model_validate(answer)


def pages(session: Session, path: str, query: Mapping[str, Any], result: type[T]) -> Emission[T]:
    """The items of a list, page by page."""
    cursor: str | None = None
    while True:
        page = yield from session.get(path, {"limit": _PAGE, **query, "cursor": cursor})
        for item in page["items"]:
            yield Emit(result.model_validate(item))
        cursor = page["next_cursor"]
        if cursor is None:
            return
