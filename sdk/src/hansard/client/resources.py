"""The platform's nouns as resources: each method is one small flow over HTTP."""

from collections.abc import Sequence
from typing import Any

from hansard.client import reference
from hansard.client.effect import Emission, Emit, Flow
from hansard.client.listing import Listed, pages
from hansard.client.operation import S, iteration, operation
from hansard.client.people_results import Member
from hansard.client.resource import H, Resource, Shareable
from hansard.client.results import (
    Abstraction,
    Experiment,
    LogLine,
    Metric,
    Project,
    Run,
    SeriesSet,
    Version,
)

_LINES = 5000


class Projects(Shareable[S, Project]):
    """Workspaces."""

    kind = "project"
    result = Project

    @operation
    def create(self, name: str, *, description: str = "") -> Flow[Project]:
        """A new project. Raises Conflict `name-taken`."""
        return (yield from self._create({"name": name, "description": description}))

    @iteration
    def members(self, ref: str) -> Emission[Member]:
        """The groups and users with a role of their own in the project, by id."""
        id_ = yield from self._id(ref)
        yield from pages(self._session, self._path(id_, "members"), {}, Member)


class InProject(Shareable[S, H]):
    """Entities that belong to a project."""

    @operation
    def create(self, name: str, *, project: str | None = None, description: str = "") -> Flow[H]:
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
        """The versions of one of them, newest first; those of all are in `client.versions`."""
        id_ = yield from self._id(ref)
        path = self._path(id_, "versions")
        yield from pages(self._session, path, {"archived": archived}, Version)

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


class Versions(Listed[S, Version]):
    """Versions of all executors, models and loaders; `abstraction=` and `kind=` choose some."""

    kind = "version"
    result = Version


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
        """The newest, lowest and highest value of each metric, ordered by key."""
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
