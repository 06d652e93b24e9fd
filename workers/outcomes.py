"""What a node tells of an attempt, turned into commands on its run."""

import json
from collections.abc import Mapping
from typing import Any

from domain.abstraction import Abstraction
from domain.aggregate import Aggregate
from domain.artifact import Artifact
from domain.plain_data import storable
from domain.run import Run
from domain.text import kind_of
from domain.version import Version
from hansard.formats.ids import new_id
from infra.event_store import Session

Status = Mapping[str, Any]

MAX_PARAMETERS_BYTES = 128 * 1024


async def record(session: Session, run_id: str, attempt: int, status: Status) -> None:
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
            saved += await _end(session, run, attempt, status)
        case _:
            return
    await session.save(*saved)


async def _end(session: Session, run: Run, attempt: int, status: Status) -> list[Aggregate]:
    """End the attempt as the node saw it; answers the versions a success leaves."""
    points, root = status.get("metric_points"), status.get("series_root")
    match status["outcome"]:
        case "succeeded":
            left = await _left(session, run, status["outputs"])
            if left is None:
                run.lose_attempt(attempt, "the node told of outputs that this run did not leave")
                return []
            kept, outputs = await _publish(session, run, left)
            run.succeed(
                attempt,
                points=status["metric_points"],
                root=root,
                results=status["results"],
                logged=_logged(status),
                outputs=outputs,
            )
            return kept
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
    wanted = {name for name, slot in run.slots.items() if slot["keep"]}
    distinct = {artifact.id for artifact in left.values()}
    return left if left.keys() == wanted and len(distinct) == len(outputs) else None


async def _publish(
    session: Session, run: Run, left: Mapping[str, Artifact]
) -> tuple[list[Aggregate], list[dict[str, Any]]]:
    """A new version of each model that was to be kept, in the save that ends the run."""
    saved: dict[str, Aggregate] = {}
    told = []
    for slot, artifact in left.items():
        source = await session.load(Version, run.slots[slot]["version"])
        model = saved.get(source.abstraction) or await session.load(Abstraction, source.abstraction)
        assert isinstance(model, Abstraction)
        version_id = new_id("version")
        number = model.add_version(version_id)
        artifact.attach(version_id)
        version = Version.of(
            model,
            version_id,
            number,
            source.source,
            origin=_origin(run, slot),
            content=artifact.content,
            details=_details(run, slot, source),
        )
        saved |= {each.id: each for each in (model, version, artifact)}
        told.append(
            {"slot": slot, "version": version_id, "number": number, "artifact": artifact.id}
        )
    return list(saved.values()), told


def _origin(run: Run, slot: str) -> dict[str, Any]:
    return {
        "run": run.id,
        "slot": slot,
        "version": run.slots[slot]["version"],
        "executor": run.executor,
        "by": run.created_by,
    }


def _details(run: Run, slot: str, source: Version) -> dict[str, Any]:
    """What is known of a trained model. Parameters too large for a version stay with the run."""
    parameters = run.slots[slot]["parameters"]
    small = len(json.dumps(parameters)) <= MAX_PARAMETERS_BYTES
    return {
        "parameters": parameters if small else None,
        "data": list(dict.fromkeys(run.datasets.values())),
        "parents": [source.id] if source.content else [],
    }
