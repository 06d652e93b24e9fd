"""Runs: watch, cancel, note; their series, metrics, logs and logged items."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, status
from pydantic import Field

from api.answer import Answer
from api.commands.entities import act
from api.dependencies import (
    ContextOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    answer_one,
    permit_of,
)
from api.routes.bodies import Body, Written
from api.routes.entities import change_routes, read_routes
from domain.artifact import MOST
from domain.errors import Forbidden
from domain.run import Run
from hansard.formats.points import MAX_KEY_CHARS
from policies.access import Permit
from projections import catalogue, run_records
from projections.series import as_json, read_series

router = APIRouter(prefix="/runs", tags=["runs"])
read_routes(router, catalogue.RUNS)
change_routes(router, Run, "run")


RunPermit = Annotated[Permit, Depends(permit_of(catalogue.RUNS))]


class Reason(Body):
    """Why."""

    reason: str = ""


class Note(Body):
    """A remark on a run."""

    note: Annotated[str, Field(min_length=1)]


@router.post("/{id_}/cancel", status_code=status.HTTP_202_ACCEPTED)
async def cancel(
    id_: str, body: Reason, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Ask a run to stop. One that waits ends at once, another when its processes have stopped."""
    position = await services.store.run(
        context,
        lambda session: act(
            session, guard, Run, id_, "cancel", lambda run: run.request_cancel(body.reason)
        ),
    )
    return Written(id=id_, position=position)


@router.post("/{id_}/notes", status_code=status.HTTP_201_CREATED)
async def note(
    id_: str, body: Note, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Add a remark."""
    position = await services.store.run(
        context,
        lambda session: act(session, guard, Run, id_, "note", lambda run: run.note(body.note)),
    )
    return Written(id=id_, position=position)


@router.get("/{id_}/series")
def series(
    permit: RunPermit,
    connection: ReadOf,
    keys: Annotated[str | None, Query(description="comma-separated; all by default")] = None,
    max_points: Annotated[int, Query(ge=1, le=20_000)] = 2000,
    attempt: Annotated[int | None, Query(ge=1)] = None,
) -> Answer:
    """Metric series in at most `max_points` buckets: smallest, largest and last value of each.

    `complete` says that every point of an ended run is there.
    """
    _require_shown(permit, "series")
    run = answer_one(connection, catalogue.RUNS, permit)
    attempt = attempt or run["attempt"]
    wanted = keys.split(",") if keys else None
    stored = run_records.points_stored(connection, permit, attempt)
    items = [as_json(b) for b in read_series(connection, permit, attempt, wanted, max_points)]
    total = run["metric_points"] if attempt == run["attempt"] else None
    complete = total is not None and stored >= total
    return Answer({"items": items, "attempt": attempt, "complete": complete})


@router.get("/{id_}/hardware")
def hardware(
    permit: RunPermit,
    connection: ReadOf,
    keys: Annotated[str | None, Query(description="comma-separated; all by default")] = None,
    max_points: Annotated[int, Query(ge=1, le=20_000)] = 2000,
    attempt: Annotated[int | None, Query(ge=1)] = None,
) -> Answer:
    """What the node has measured of a run's step, as series in buckets like its metrics.

    Seen by who sees the series; steps are numbers of samples.
    """
    _require_shown(permit, "series")
    attempt = attempt or answer_one(connection, catalogue.RUNS, permit)["attempt"]
    wanted = keys.split(",") if keys else None
    found = read_series(connection, permit, attempt, wanted, max_points, measured=True)
    return Answer({"items": [as_json(buckets) for buckets in found], "attempt": attempt})


@router.get("/{id_}/metrics")
def metrics(permit: RunPermit, connection: ReadOf) -> dict[str, Any]:
    """The newest, smallest and largest value of each metric."""
    _require_shown(permit, "metrics")
    answer_one(connection, catalogue.RUNS, permit)
    return {"items": run_records.latest_metrics(connection, permit)}


@router.get("/{id_}/logs")
def logs(
    permit: RunPermit,
    connection: ReadOf,
    stream: str = "stdout",
    after: Annotated[int, Query(ge=0, description="number of the last line seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    attempt: Annotated[int | None, Query(ge=1)] = None,
) -> dict[str, Any]:
    """Lines of a run's output, in order; follow `next_after`."""
    _require_shown(permit, "logs")
    run = answer_one(connection, catalogue.RUNS, permit)
    attempt = attempt or run["attempt"]
    lines = run_records.log_lines(connection, permit, attempt, stream, after, limit)
    last = lines[-1]["line"] if lines else after
    return {"items": lines, "attempt": attempt, "next_after": last}


@router.get("/{id_}/items")
def items(
    permit: RunPermit,
    connection: ReadOf,
    name: Annotated[str | None, Query(max_length=MAX_KEY_CHARS)] = None,
    kind: Annotated[str | None, Query(max_length=32, description="such as `image`")] = None,
    after: Annotated[int, Query(ge=0, le=MOST, description="number of the last one seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    attempt: Annotated[int | None, Query(ge=1)] = None,
) -> dict[str, Any]:
    """What a run logged as files, in order; follow `next_after`.

    The content of one is the file `path` of the artifact `artifact`.
    """
    _require_shown(permit, "items")
    run = answer_one(connection, catalogue.RUNS, permit)
    attempt = attempt or run["attempt"]
    found = run_records.logged_items(connection, permit, attempt, name, kind, after, limit)
    last = found[-1]["number"] if found else after
    return {"items": found, "attempt": attempt, "next_after": last}


def _require_shown(permit: Permit, field: str) -> None:
    if field in permit.masked:
        raise Forbidden(f"the {field} of this run are masked for you", code="masked", field=field)
