"""Answers those who ask why a run waits, and what is used of which node."""

import asyncio
import time
from typing import Any

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from domain.resources import Resources
from domain.scheduling import Outlook, Situation, Wait, Waiting, explain, foresee
from infra.queue_view import SUBJECT
from workers.scheduler import Scheduler

_FRESH_S = 1.0
_MOST_FORESEEING = 16
"""Each costs a whole explanation, tenths of a second for ten thousand runs: more ask in vain."""

_log = structlog.get_logger(__name__)


class QueueDesk:
    """Explains the scheduler's situation, once for all who ask within a second.

    What runs that are not asked for yet would wait for is told to each who asks.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._told: dict[str, Wait] = {}
        self._told_at = float("-inf")
        self._explaining = asyncio.Lock()
        self._foreseeing = 0

    async def open(self, client: Client) -> None:
        """Listen to questions on this connection, until it is closed."""
        await client.subscribe(SUBJECT, cb=self._answer)

    async def _answer(self, message: Msg) -> None:
        try:
            asked = orjson.loads(message.data)
            if "new" in asked:
                answer = {"new": await self.foresee(asked["new"])}
            else:
                answer = await self.answer([str(run) for run in asked["runs"]])
            await message.respond(orjson.dumps(answer))
        except Exception as error:  # noqa: BLE001 - one question must not end the dispatcher
            _log.warning("queue_not_explained", error=str(error))

    async def answer(self, runs: list[str]) -> dict[str, Any]:
        """The waits of these runs, as far as they wait, and what is used of all nodes."""
        situation = self._scheduler.situation()
        waits = await self._waits(situation)
        return {
            "waits": {run: _told(waits[run]) for run in runs if run in waits},
            "nodes": _used(situation),
        }

    async def foresee(self, asked: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """What these runs would wait for if they were asked for now; None if too many ask."""
        if self._foreseeing >= _MOST_FORESEEING:
            return None
        self._foreseeing += 1
        try:
            async with self._explaining:
                situation = self._scheduler.situation()
                new = [_waiting(run, situation.now) for run in asked]
                return [_told(each) for each in await asyncio.to_thread(foresee, situation, new)]
        finally:
            self._foreseeing -= 1

    async def _waits(self, situation: Situation) -> dict[str, Wait]:
        async with self._explaining:
            if time.monotonic() - self._told_at > _FRESH_S:
                self._told = await asyncio.to_thread(explain, situation)
                self._told_at = time.monotonic()
            return self._told


def _waiting(asked: dict[str, Any], now: float) -> Waiting:
    return Waiting(**{**asked, "resources": Resources(**asked["resources"])}, since=now)


def _told(wait: Wait | Outlook) -> dict[str, Any]:
    return {
        "pool": wait.pool,
        "position": wait.position,
        "reason": wait.reason,
        "starts_at": wait.starts_at,
    }


def _used(situation: Situation) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name in situation.nodes:
        used, runs = Resources(0), 0
        for placed in situation.placed:
            if placed.node == name:
                used, runs = used.plus(placed.resources), runs + 1
        found[name] = {
            "cpus": used.cpus,
            "gpus": used.gpus,
            "memory_mb": used.memory_mb,
            "runs": runs,
        }
    return found
