"""Where runs would stand in the queue if they were asked for now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from domain.run import Run
from infra.event_log.errors import LogUnavailable
from infra.queue_view import QueueView


async def foreseen(queue: QueueView, runs: Sequence[Run], user: str) -> list[dict[str, Any]] | None:
    """{pool, position, reason, starts_at} of each; None while no dispatcher is there to tell."""
    try:
        told = await queue.foresee([_asked(run, user) for run in runs])
    except LogUnavailable:
        return None
    return None if told is None else [{**each, "starts_at": _time(each)} for each in told]


def _asked(run: Run, user: str) -> dict[str, Any]:
    return {
        "run": run.id,
        "resources": run.resources,
        "account": run.group or user,
        "user": user,
        "pool": run.pool,
        "priority": run.priority,
    }


def _time(told: dict[str, Any]) -> datetime | None:
    at = told["starts_at"]
    return None if at is None else datetime.fromtimestamp(at, UTC)
