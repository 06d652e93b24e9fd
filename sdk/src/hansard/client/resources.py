"""The platform's nouns as resources: each method is one small flow over HTTP."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hansard.client import reference, run_items
from hansard.client.effect import Emission, Emit, Flow, Request, Work
from hansard.client.launches import Launches
from hansard.client.listing import pages
from hansard.client.operation import S, iteration, operation
from hansard.client.people_results import Member
from hansard.client.pushing import find_or_create
from hansard.client.resource import H, Shareable
from hansard.client.results import Abstraction, Experiment, Project, Run, Told, Version
from hansard.client.series_results import Hardware, LogLine, Metric, RunItem, SeriesSet
from hansard.formats.frames import Frame
from hansard.formats.ids import new_id
from hansard.formats.shipment import pack_frames
from hansard.media.reading import read_item

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
    """Executors, models, dataset loaders or datasets, and their versions."""

    result = Abstraction

    @iteration
    def versions(self, ref: str, *, archived: bool = False) -> Emission[Version]:
        """The versions of one of them, newest first; those of all are in `client.versions`."""
        id_ = yield from self._id(ref)
        path = self._path(id_, "versions")
        yield from pages(self._session, path, {"archived": archived}, Version)

    @operation
    def version(self, ref: str) -> Flow[Version]:
        """A version by id, `NAME:3`, `NAME@alias`, or the latest of `NAME`. Raises NotFound."""
        return (yield from version_of(self._session, (self.kind,), ref))


class Runs(Launches[S]):
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
    def open_local(
        self,
        name: str,
        *,
        id: str | None = None,  # noqa: A002 - what the platform calls it
        experiment: str = "default",
        project: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        started_by: str = "",
    ) -> Flow[str]:
        """Open a run that goes on in a process of yours; answers its id. See `hansard.start_run`.

        An experiment that is not there is made. Raises Invalid, Conflict.
        """
        project_id = yield from reference.resolve_project(self._session, project)
        if reference.id_kind(experiment) is None:
            found = yield from find_or_create(self._session, "experiment", experiment, project_id)
            experiment = found["id"]
        body = {
            "id": id or new_id("run"),
            "experiment": experiment,
            "name": name,
            "parameters": dict(parameters or {}),
            "tags": dict(tags or {}),
            "started_by": started_by,
        }
        answer = yield from self._session.write("POST", "/v1/runs/local", body, key=False)
        return str(answer["id"])

    @operation
    def tell(self, id: str, frames: Sequence[Frame]) -> Flow[Told]:  # noqa: A002 - same
        """Tell of a run that was opened so: numbered frames, each stored once. Raises Conflict."""
        kind = {"Content-Type": "application/octet-stream"}
        path, content = self._path(id, "frames"), pack_frames(frames)
        answer = yield from self._session.ask(Request("POST", path, headers=kind, content=content))
        return Told.model_validate(answer)

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
    def hardware(
        self, ref: str, max_points: int = 2000, attempt: int | None = None
    ) -> Flow[Hardware]:
        """What the node has measured of a run, in at most `max_points` buckets a series."""
        id_ = yield from self._id(ref)
        query = {"max_points": max_points, "attempt": attempt}
        answer = yield from self._session.get(self._path(id_, "hardware"), query)
        return Hardware.model_validate(answer)

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

    @iteration
    def items(
        self,
        ref: str,
        *,
        name: str | None = None,
        kind: str | None = None,
        attempt: int | None = None,
    ) -> Emission[RunItem]:
        """What the run logged as files and has arrived, in order; of a name and a kind if given."""
        id_ = yield from self._id(ref)
        after = 0
        while True:
            query = {"name": name, "kind": kind, "after": after, "attempt": attempt}
            answer = yield from self._session.get(self._path(id_, "items"), query)
            for item in answer["items"]:
                yield Emit(RunItem.model_validate(item))
            if not answer["items"]:
                return
            after = answer["next_after"]

    @operation
    def item_content(self, item: RunItem) -> Flow[bytes]:
        """The content of an item. Raises NotFound, Corrupt."""
        return (yield from run_items.content(self._session, item))

    @operation
    def item_value(self, item: RunItem) -> Flow[Any]:
        """An item as what it was (array, table, chart): see `hansard.media.reading.read_item`."""
        data = yield from run_items.content(self._session, item)
        return (yield Work(partial(read_item, item.kind, item.media, data)))

    @operation
    def save_item(self, item: RunItem, folder: Path) -> Flow[Path]:
        """The content in a new file of a folder, which is answered.

        Raises FileExistsError, NotFound, Corrupt, OSError.
        """
        return (yield from run_items.save(self._session, item, folder))


def version_of(session: Any, kinds: Sequence[str], ref: str) -> Flow[Version]:
    """The whole version that a reference means, the latest one where it names an abstraction."""
    row = yield from reference.version_row(session, kinds, ref)
    if "card" not in row:  # as lists show it
        row = yield from session.get(f"/v1/versions/{row['id']}")
    return Version.model_validate(row)
