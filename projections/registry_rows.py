"""How each event changes its entity's row: pure functions from row and event to row.

One table per kind of entity, one handler per topic. A topic that no table shows has no handler.
"""

from projections.artifact_rows import ARTIFACT_HANDLERS, VERSION_HANDLERS
from projections.policy_rows import POLICY_HANDLERS
from projections.read_event import ReadEvent
from projections.rows import (
    Handler,
    Row,
    assign,
    entity_born,
    of_entity,
    unseen,
    unshared,
)
from projections.subject_rows import SUBJECT_HANDLERS

TABLES = {
    "project": "project",
    "experiment": "experiment",
    "executor": "abstraction",
    "model": "abstraction",
    "loader": "abstraction",
    "dataset": "abstraction",
    "artifact": "artifact",
    "version": "version",
    "run": "run",
    "user": "account",
    "group": "user_group",
    "token": "token",
    "invitation": "invitation",
    "policy": "policy",
    "decision": "decision",
    "secret": "secret",
}
"""Kind of entity (front of its id) to the table that shows it."""

_RUN_LATER = (
    *("backend", "node", "sandbox", "facts", "reason", "results", "logged", "failure"),
    *("outputs", "metric_points", "series_root", "started_at", "ended_at"),
)
_ENDED_MEMBERS = ("reason", "metric_points", "series_root", "results", "logged", "failure")


def fold(row: Row | None, event: ReadEvent) -> Row:
    """The row after the event. Raises KeyError or TypeError for an event that makes no sense."""
    row = _born(event) if row is None else row
    handler = HANDLERS.get(event.topic)
    if handler is not None:
        handler(row, event)
    row["updated_at"] = event.time
    row["position"] = event.position
    return row


def _born(event: ReadEvent) -> Row:
    if event.version != 1:
        raise ValueError(f"version {event.version} of {event.entity} without its first event")
    row: Row = {"id": event.entity, "created_by": event.actor, "created_at": event.time}
    return row


def _shareable_born(row: Row, event: ReadEvent) -> None:
    entity_born(row, event)
    row.update(unshared())


def _abstraction_born(row: Row, event: ReadEvent) -> None:
    _shareable_born(row, event)
    row.update(versions=0, latest=None, aliases={}, expectations=None)


def _version_added(row: Row, event: ReadEvent) -> None:
    row.update(versions=event.data["number"], latest=event.data["version_id"])


def _aliased(row: Row, event: ReadEvent) -> None:
    moved = {**row["aliases"], **event.data["aliases"]}
    row["aliases"] = {name: number for name, number in moved.items() if number is not None}


def _secret_born(row: Row, event: ReadEvent) -> None:
    _shareable_born(row, event)
    del row["key"]
    row.update(deleted=False)


def _secret_rotated(row: Row, event: ReadEvent) -> None:
    row["number"] = event.data["number"]


def _secret_deleted(row: Row, event: ReadEvent) -> None:
    row.update(deleted=True, archived=True)


def _expected(row: Row, event: ReadEvent) -> None:
    row["expectations"] = event.data["text"]


def _run_born(row: Row, event: ReadEvent) -> None:
    entity_born(row, event)
    row["run_group"] = (row["run_group"] or {}).get("id")
    del row["claim"]  # what it claims matters while it waits: the queue tells
    del row["secrets"]  # their names stand where they are given
    row.update(unshared("experiment_owner"))
    row.update(status="requested", attempt=0, cancel_requested=False, notes=[])
    row.update(dict.fromkeys(_RUN_LATER))


def _run_becomes(status: str) -> Handler:
    def handler(row: Row, event: ReadEvent) -> None:
        row["status"] = status

    return handler


def _run_admitted(row: Row, event: ReadEvent) -> None:
    data = event.data
    row.update(status="admitted", attempt=data["attempt"], node=data["node"], reason=None)
    row["backend"] = data["backend"]


def _run_starting(row: Row, event: ReadEvent) -> None:
    row.update(status="starting", sandbox=event.data["sandbox"], facts=event.data["facts"])


def _run_running(row: Row, event: ReadEvent) -> None:
    row["status"] = "running"
    row["started_at"] = row["started_at"] or event.time


def _run_waits_again(status: str) -> Handler:
    def handler(row: Row, event: ReadEvent) -> None:
        row.update(status=status, reason=event.data["reason"])

    return handler


def _run_cancel_requested(row: Row, event: ReadEvent) -> None:
    row["cancel_requested"] = True


def _run_noted(row: Row, event: ReadEvent) -> None:
    note = {"note": event.data["note"], "by": event.actor, "at": event.time}
    row["notes"] = [*row["notes"], note]


def _run_ended(status: str) -> Handler:
    def handler(row: Row, event: ReadEvent) -> None:
        row.update(status=status, ended_at=event.time)
        row.update({name: event.data[name] for name in _ENDED_MEMBERS if name in event.data})
        row["outputs"] = event.data.get("outputs", [])

    return handler


def _embargoed(row: Row, event: ReadEvent) -> None:
    row["embargo_until"] = event.data["until"]


def _of_shareable(topic: str) -> dict[str, Handler]:
    return {
        **of_entity(topic),
        f"{topic}.shared.v1": assign,
        f"{topic}.embargoed.v1": _embargoed,
    }


HANDLERS: dict[str, Handler] = {
    "project.created.v1": _shareable_born,
    **_of_shareable("project"),
    "experiment.created.v1": _shareable_born,
    **_of_shareable("experiment"),
    "abstraction.registered.v1": _abstraction_born,
    "abstraction.version_added.v1": _version_added,
    **_of_shareable("abstraction"),
    "abstraction.aliased.v1": _aliased,
    "abstraction.expected.v1": _expected,
    "secret.created.v1": _secret_born,
    "secret.rotated.v1": _secret_rotated,
    "secret.deleted.v1": _secret_deleted,
    **_of_shareable("secret"),
    **VERSION_HANDLERS,
    **ARTIFACT_HANDLERS,
    "run.requested.v7": _run_born,
    **of_entity("run"),
    "run.queued.v1": _run_becomes("queued"),
    "run.admitted.v2": _run_admitted,
    "run.starting.v1": _run_starting,
    "run.running.v1": _run_running,
    "run.attempt_lost.v1": _run_waits_again("queued"),
    "run.preemption_requested.v1": unseen,
    "run.preempted.v1": _run_waits_again("preempted"),
    "run.cancel_requested.v1": _run_cancel_requested,
    "run.noted.v1": _run_noted,
    "run.succeeded.v1": _run_ended("succeeded"),
    "run.failed.v1": _run_ended("failed"),
    "run.cancelled.v1": _run_ended("cancelled"),
    "run.lost.v1": _run_ended("lost"),
    **SUBJECT_HANDLERS,
    **POLICY_HANDLERS,
}
