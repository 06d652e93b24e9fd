"""The platform's nouns as resources: each method is one small flow over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from hansard.client import reference
from hansard.client.effect import Emission, Emit, Flow
from hansard.client.operation import Bound, S, iteration, operation
from hansard.client.results import (
    Abstraction,
    Entity,
    Experiment,
    LogLine,
    Metric,
    Project,
    Run,
    SeriesSet,
    Version,
)
from hansard.formats.ids import new_id

T = TypeVar("T", bound=Entity)

_PAGE = 200
_LINES = 5000


class Resource(Bound[S], Generic[S, T]):
    """Named entities of one kind. Wherever an id is asked for, a name will do."""

    kind: ClassVar[str]
    result: type[T]

    @operation
    def get(self, ref: str, project: str | None = None) -> Flow[T]:
        """The whole entity by id or name. Raises NotFound."""
        id_ = yield from self._id(ref, project)
        return (yield from self._read(id_))

    @operation
    def find(self, name: str, project: str | None = None) -> Flow[T | None]:
        """The entity of this name, or None."""
        project_id = None
        if project is not None:
            project_id = yield from reference.resolve_project(self._session, project)
        found = yield from reference.find(self._session, self.kind, name, project_id)
        return self.result.model_validate(found) if found else None

    @iteration
    def list(
        self, /, *, sort: str | None = None, archived: bool = False, **filters: str
    ) -> Emission[T]:
        """All entities that match, newest first, fetched page by page while iterating.

        `sort` is a column, with `-` in front for descending. Filters are columns, compared for
        equality: `name`, `project`, and for runs `experiment`, `status`, `executor`.
        """
        query = {"sort": sort, "archived": archived, "limit": _PAGE, **filters}
        cursor: str | None = None
        while True:
            page = yield from self._session.get(self._path(), {**query, "cursor": cursor})
            for item in page["items"]:
                yield Emit(self.result.model_validate(item))
            cursor = page["next_cursor"]
            if cursor is None:
                return

    @operation
    def update(
        self,
        ref: str,
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Flow[T]:
        """Rename, describe, or replace the tags; what is None stays. Raises Conflict."""
        change = {"name": name, "description": description, "tags": tags}
        body = {field: value for field, value in change.items() if value is not None}
        id_ = yield from self._id(ref)
        yield from self._session.write("PATCH", self._path(id_), body, key=True)
        return (yield from self._read(id_))

    @operation
    def archive(self, ref: str) -> Flow[T]:
        """Hide from lists and close to changes; nothing is deleted. Raises Conflict."""
        return (yield from self._act(ref, "archive", {}))

    @operation
    def restore(self, ref: str) -> Flow[T]:
        """Undo `archive`; give the id, as names of archived entities are not found."""
        return (yield from self._act(ref, "restore", {}))

    def _path(self, *parts: str) -> str:
        return "/".join(("/v1", reference.PATHS[self.kind], *parts))

    def _id(self, ref: str, project: str | None = None) -> Flow[str]:
        project_id = None
        if project is not None:
            project_id = yield from reference.resolve_project(self._session, project)
        return (yield from reference.resolve(self._session, self.kind, ref, project_id))

    def _read(self, id_: str) -> Flow[T]:
        answer = yield from self._session.get(self._path(id_))
        return self.result.model_validate(answer)

    def _create(self, fields: Mapping[str, Any]) -> Flow[T]:
        id_ = new_id(self.kind)
        body = {"id": id_, **fields}
        yield from self._session.write("POST", self._path(), body, key=False)
        return (yield from self._read(id_))

    def _act(self, ref: str, action: str, body: Mapping[str, Any]) -> Flow[T]:
        id_ = yield from self._id(ref)
        yield from self._session.write("POST", self._path(id_, action), body, key=True)
        return (yield from self._read(id_))


class Projects(Resource[S, Project]):
    """Workspaces."""

    kind = "project"
    result = Project

    @operation
    def create(self, name: str, *, description: str = "") -> Flow[Project]:
        """A new project. Raises Conflict `name-taken`."""
        return (yield from self._create({"name": name, "description": description}))


class InProject(Resource[S, T]):
    """Entities that belong to a project."""

    @operation
    def create(self, name: str, *, project: str | None = None, description: str = "") -> Flow[T]:
        """A new one, in the default project if none is given. Raises Conflict `name-taken`."""
        project_id = yield from reference.resolve_project(self._session, project)
        fields = {"name": name, "project": project_id, "description": description}
        return (yield from self._create(fields))


class Experiments(InProject[S, Experiment]):
    """Runs that belong together."""

    kind = "experiment"
    result = Experiment


class Abstractions(InProject[S, Abstraction]):
    """Executors, models or dataset loaders, and their versions."""

    result = Abstraction

    @iteration
    def versions(self, ref: str, *, archived: bool = False) -> Emission[Version]:
        """The versions of one of them, newest first."""
        id_ = yield from self._id(ref)
        cursor: str | None = None
        while True:
            query = {"limit": _PAGE, "archived": archived, "cursor": cursor}
            page = yield from self._session.get(self._path(id_, "versions"), query)
            for item in page["items"]:
                yield Emit(Version.model_validate(item))
            cursor = page["next_cursor"]
            if cursor is None:
                return

    @operation
    def version(self, ref: str) -> Flow[Version]:
        """A version by id, `NAME:3`, or the latest one of `NAME`. Raises NotFound."""
        return (yield from version_of(self._session, (self.kind,), ref))


class Executors(Abstractions[S]):
    """Jobs with slots."""

    kind = "executor"


class Models(Abstractions[S]):
    """Models, and what runs made of them."""

    kind = "model"


class Loaders(Abstractions[S]):
    """Dataset loaders."""

    kind = "loader"


class Runs(Resource[S, Run]):
    """Executions. A name means the newest run of that name."""

    kind = "run"
    result = Run

    @operation
    def cancel(self, ref: str, reason: str = "") -> Flow[Run]:
        """Ask a run to stop; it ends when its processes have. Raises Conflict."""
        return (yield from self._act(ref, "cancel", {"reason": reason}))

    @operation
    def note(self, ref: str, note: str) -> Flow[Run]:
        """Add a remark, at any time."""
        return (yield from self._act(ref, "notes", {"note": note}))

    @operation
    def series(
        self,
        ref: str,
        keys: Sequence[str] | None = None,
        max_points: int = 2000,
        attempt: int | None = None,
    ) -> Flow[SeriesSet]:
        """Metric series in at most `max_points` buckets, of all keys if none are given."""
        id_ = yield from self._id(ref)
        query = {
            "keys": ",".join(keys) if keys else None,
            "max_points": max_points,
            "attempt": attempt,
        }
        answer = yield from self._session.get(self._path(id_, "series"), query)
        return SeriesSet.model_validate(answer)

    @operation
    def metrics(self, ref: str) -> Flow[tuple[Metric, ...]]:
        """The newest value of each metric, ordered by key."""
        id_ = yield from self._id(ref)
        answer = yield from self._session.get(self._path(id_, "metrics"))
        return tuple(Metric.model_validate(item) for item in answer["items"])

    @iteration
    def logs(
        self, ref: str, stream: str = "stdout", *, after: int = 0, attempt: int | None = None
    ) -> Emission[LogLine]:
        """The lines of `stdout` or `stderr` behind line number `after` that have arrived."""
        id_ = yield from self._id(ref)
        while True:
            query = {"stream": stream, "after": after, "limit": _LINES, "attempt": attempt}
            answer = yield from self._session.get(self._path(id_, "logs"), query)
            for item in answer["items"]:
                yield Emit(LogLine.model_validate(item))
            if not answer["items"]:
                return
            after = answer["next_after"]


def version_of(session: Any, kinds: Sequence[str], ref: str) -> Flow[Version]:
    """The version that a reference means, the latest one where it names an abstraction."""
    id_ = yield from reference.resolve_version(session, kinds, ref)
    kind = reference.id_kind(id_)
    if kind is not None and kind != "version":
        abstraction = yield from session.get(f"/v1/{reference.PATHS[kind]}/{id_}")
        id_ = abstraction["latest"]
        if id_ is None:
            raise reference.missing("version of", abstraction["name"])
    answer = yield from session.get(f"/v1/versions/{id_}")
    return Version.model_validate(answer)
