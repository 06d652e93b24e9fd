"""What a node tells of an attempt, turned into commands on its run."""

from collections.abc import Mapping
from typing import Any

from domain.aggregate import Aggregate
from domain.artifact import Artifact
from domain.plain_data import storable
from domain.run import Run
from domain.text import kind_of
from infra.event_store import Session
from projections.access.active_policies import ActivePolicies
from workers.asker import asker_of
from workers.publication import Publication

Status = Mapping[str, Any]


async def record(
    session: Session, policies: ActivePolicies, run_id: str, attempt: int, status: Status
) -> None:
    """Record what a status says. Raises Conflict for what the run has left behind already."""
    status = storable(status)
    run = await session.load(Run, run_id)
    saved: list[Aggregate] = [run]
    match status["state"]:
        case "starting":
            run.start(attempt, sandbox=status["sandbox"], facts=status["facts"])
        case "running":
            run.begin(attempt)
        case "ended":
            saved += await _end(session, policies, run, attempt, status)
        case _:
            return
    await session.save(*saved)


async def _end(
    session: Session, policies: ActivePolicies, run: Run, attempt: int, status: Status
) -> list[Aggregate]:
    """End the attempt as the node saw it; answers what a success publishes."""
    points, root = status.get("metric_points"), status.get("series_root")
    match status["outcome"]:
        case "succeeded":
            left = await _left(session, run, status["outputs"])
            if left is None:
                run.lose_attempt(attempt, "the node told of outputs that this run did not leave")
                return []
            asker = await asker_of(session, run.created_by, policies)
            publication = Publication(session, run, asker)
            outputs = await publication.publish(left)
            run.succeed(
                attempt,
                points=status["metric_points"],
                root=root,
                results=status["results"],
                logged=_logged(status),
                outputs=outputs,
            )
            return list(publication.saved.values())
        case "failed":
            run.fail(
                attempt,
                status["reason"],
                points=points,
                root=root,
                failure=status.get("failure") or {},
                logged=_logged(status),
            )
        case "cancelled" if run.cancel_requested:
            run.end_cancelled(attempt, points=points, root=root)
        case "cancelled" if run.is_to_give_way:
            run.preempt(attempt, "its room was needed")
        case _:
            run.lose_attempt(attempt, status.get("reason") or "the node shut down")
    return []


def _logged(status: Status) -> dict[str, Any]:
    """What the step logged besides metrics, and read: `params`, `texts` as {name, text, time}.

    `read` has {dataset, version, time} and the fingerprint of a source that was read by reference;
    items are in the telemetry, here is what is missing there.
    """
    return {
        "params": status.get("logged") or {},
        **{name: status.get(name) or [] for name in ("texts", "read", "items_refused")},
        "items_lost": status.get("items_lost") or 0,
    }


async def _left(
    session: Session, run: Run, outputs: list[dict[str, Any]]
) -> dict[str, Artifact] | None:
    """By slot what was told, as the record has it; None if the run has not left exactly that."""
    left: dict[str, Artifact] = {}
    for output in outputs:
        id_ = output.get("artifact")
        if not isinstance(id_, str) or kind_of(id_) != "artifact":
            return None
        found = await session.find(Artifact, id_)
        if found is None or found.run != run.id or found.attached_to or found.deleted:
            return None
        left[output["slot"]] = found
    distinct = {artifact.id for artifact in left.values()}
    return left if left.keys() == run.kept_slots and len(distinct) == len(outputs) else None
