"""What a node tells of an attempt, turned into commands on its run."""

from collections.abc import Mapping
from typing import Any

from domain.abstraction import Abstraction, Version
from domain.aggregate import Aggregate
from domain.plain_data import storable
from domain.run import Run
from hansard.formats.ids import new_id
from infra.event_store import Session

Status = Mapping[str, Any]


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
            kept, outputs = await _keep(session, run, status["outputs"])
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
    """What the step logged besides metrics: `params`, and `texts` as {name, text, time}."""
    return {"params": status.get("logged") or {}, "texts": status.get("texts") or []}


async def _keep(
    session: Session, run: Run, outputs: list[dict[str, Any]]
) -> tuple[list[Aggregate], list[dict[str, Any]]]:
    """A new version of each model that was to be kept, in the save that ends the run."""
    kept: dict[str, Aggregate] = {}
    told = []
    for output in outputs:
        slot = output["slot"]
        source = await session.load(Version, run.slots[slot]["version"])
        model = kept.get(source.abstraction) or await session.load(Abstraction, source.abstraction)
        assert isinstance(model, Abstraction)
        version_id = new_id("version")
        number = model.add_version(version_id)
        origin = {
            "run": run.id,
            "slot": slot,
            "version": source.id,
            "executor": run.executor,
            "by": run.created_by,
        }
        version = Version.of(model, version_id, number, source.source, output["files"], origin)
        kept[model.id] = model
        kept[version.id] = version
        told.append({"slot": slot, "version": version_id, "number": number})
    return list(kept.values()), told
