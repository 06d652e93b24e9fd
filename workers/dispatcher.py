"""The dispatcher: from the queue to backends, from what nodes tell to the record.

One leads at a time, by lease and fencing number. All it knows is folded from the record and from
telemetry, so a new one takes over where the last one was: attempts that live on their nodes are
adopted, those that are gone are tried again. The record's own concurrency check makes a decision
of a dispatcher that was replaced harmless.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from nats.aio.client import Client

from domain.aggregate import Context
from domain.errors import Conflict, DomainError
from domain.outside_run import OUTSIDE, is_outside
from domain.run import PLACED, Run, Status
from domain.scheduling import Admit, Preempt, Reject
from infra.event_log.bulk_read import BulkReader
from infra.event_log.errors import StorageFull
from infra.event_store import EventStore, Session
from infra.nodes import Nodes
from infra.secret_digest import make_bearer, read_bearer, secret_digest
from infra.secret_vault import SecretVault
from infra.settings import Settings
from infra.telemetry import STREAM, Kind, Source, of_run, parse, statuses, unpack_status
from projections.access.active_policies import ActivePolicies
from workers.backends.backend import ComputeBackend
from workers.granted_secrets import SecretRefused, granted
from workers.launching import launch_spec
from workers.outcomes import record
from workers.queue_desk import QueueDesk
from workers.rights import Rights
from workers.run_book import RunBook
from workers.run_changes import fall_silent, preempt, queue, reject
from workers.scheduler import Scheduler

_PAGE = 1000
_RUN_EVENTS = "ev.run.>"
_IDLE_S = 0.01
_NODES_EVERY_S = 1.0
_CANCEL_EVERY_S = 1.0
UNSEEN_S = 12.0
"""An attempt that no present node knows of for this long is lost."""

_log = structlog.get_logger(__name__)

Attempt = tuple[str, int]


class Dispatcher:
    """One leader's work; `step` does all of it once."""

    def __init__(
        self,
        client: Client,
        store: EventStore,
        backend: ComputeBackend,
        settings: Settings,
        policies: ActivePolicies,
        fence: int,
    ) -> None:
        self._client = client
        self._store = store
        self._backend = backend
        self._settings = settings
        self._fence = fence
        self._policies = policies
        self._vault = SecretVault(client, settings.secrets_key_file)
        self._book = RunBook()
        self._events = BulkReader(settings.nats_url, "EVENTS")
        self._rights = Rights(self._events)
        self._scheduler = Scheduler(self._book, self._rights)
        self._telemetry = BulkReader(settings.nats_url, STREAM)
        self._told_until = 0
        self._nodes_source = Nodes(client)
        self._nodes_at = 0.0
        self._seen: dict[Attempt, float] = {}
        self._cancels_at = 0.0
        self._doubted_until = 0.0

    async def start(self) -> None:
        """Fold the record, and what was told of placed attempts while nobody led."""
        last = await asyncio.to_thread(self._telemetry.last, statuses())
        self._told_until = last.position if last else 0
        await self._follow_runs()
        for run in self._book.with_status(*PLACED):
            position: int | None = 0
            while position is not None:
                position = await self._hear(position, of_run(run.id, Kind.STATUS))
        await self._follow_runs()
        await self._rights.follow()
        await QueueDesk(self._scheduler).open(self._client)
        _log.info("dispatcher_started", fence=self._fence, runs=len(self._book.runs))

    async def step(self) -> None:
        """Follow, hear, place, cancel, give up; then rest if there was nothing to do."""
        moved = await self._follow_runs()
        heard = await self._hear(self._told_until, statuses())
        self._told_until = heard or self._told_until
        await self._look_at_nodes()
        for failure in self._backend.tick():
            await self._lose(failure.run, failure.attempt, failure.reason)
        await self._queue_requested()
        trusted = self._backend.ready and time.monotonic() > self._doubted_until
        placed = await self._place() if trusted else 0
        await self._send_cancels()
        await self._lose_unseen()
        if not (moved or heard or placed):
            await asyncio.sleep(_IDLE_S)

    def close(self) -> None:
        """Close the reading connections."""
        self._events.close()
        self._telemetry.close()

    async def _follow_runs(self) -> int:
        """Fold what is new; a page that is not full is not the end, for the broker cuts by size."""
        total = 0
        read = self._events.read_after
        while messages := await asyncio.to_thread(read, self._book.position, _PAGE, _RUN_EVENTS):
            self._book.fold(messages)
            total += len(messages)
        return total

    async def _hear(self, position: int, subjects: str) -> int | None:
        """Record what a page of statuses behind a position says; None where there is none."""
        messages = await asyncio.to_thread(self._telemetry.read_after, position, _PAGE, subjects)
        for message in messages:
            try:
                found = parse(message)
                status = unpack_status(found.frame.payload)
                await self._record(found.source, status)
            except (ValueError, LookupError, TypeError, AttributeError, DomainError) as error:
                _log.error("status_not_recorded", position=message.position, error=str(error))
        return messages[-1].position if messages else None

    async def _record(self, source: Source, status: dict[str, Any]) -> None:
        run, attempt = source.run, source.attempt
        self._seen[run, attempt] = time.monotonic()
        states = {"starting", "running", "ended"}
        if source.node == OUTSIDE:
            states = {"ended"}  # it was running when it was opened, and doubts no backend
        elif status.get("outcome") in ("lost", "error"):
            self._doubt()
        if status.get("state") in states:
            await self._command(lambda s: record(s, self._policies, run, attempt, status), run)

    async def _queue_requested(self) -> None:
        new = self._book.with_status(Status.REQUESTED)
        if new:
            await self._rights.follow()
        for run in new:
            reason = self._scheduler.refusal_to_queue(run)
            await self._change(run.id, partial(reject, reason=reason) if reason else queue)
        for run in self._book.with_status(Status.PREEMPTED):
            await self._change(run.id, queue)

    async def _place(self) -> int:
        if not self._book.with_status(Status.QUEUED):
            return 0
        await self._rights.follow()
        decisions = self._scheduler.decide()
        if any(isinstance(decision, Reject) for decision in decisions):
            self._nodes_at = 0.0  # a node that has joined just now may have the room
            await self._look_at_nodes()
            decisions = self._scheduler.decide()
        for decision in decisions:
            match decision:
                case Admit(run, node):
                    await self._admit(run, node)
                case Preempt(run, by, reason):
                    attempt = self._book.runs[run].attempt
                    await self._change(run, partial(preempt, attempt=attempt, by=by, reason=reason))
                case Reject(run, reason):
                    await self._change(run, partial(reject, reason=reason))
        return len(decisions)

    async def _admit(self, run_id: str, node: str) -> None:
        """Start a run, if whoever asked for it may still have the room."""
        refusal = self._rights.refusal(self._book.runs[run_id])
        if refusal is not None:
            await self._change(run_id, partial(reject, reason=refusal))
            return
        token = make_bearer(run_id)
        bearer = read_bearer(token)
        assert bearer is not None

        async def admit(session: Session) -> None:
            run = await session.load(Run, run_id)
            run.admit(
                backend=self._backend.name,
                node=node,
                fence=self._fence,
                token_digest=secret_digest(bearer.secret),
                grounds=self._rights.grounds(run),
            )
            secrets = await granted(session, run, self._policies, self._vault)
            spec = await launch_spec(session, run, token, self._fence, self._settings, secrets)
            await session.save(run)
            self._seen[run_id, run.attempt] = time.monotonic()
            self._backend.launch(spec)
            _log.info("run_admitted", run=run_id, attempt=run.attempt, node=node)

        try:
            await self._command(admit, run_id)
        except SecretRefused as refusal:
            await self._change(run_id, partial(reject, reason=str(refusal)))
        await self._follow_runs()

    async def _send_cancels(self) -> None:
        """Tell nodes what to stop, again and again until it has: a message may be lost.

        Besides what is to be cancelled these are attempts that were given up and live after all.
        """
        now = time.monotonic()
        if now - self._cancels_at < _CANCEL_EVERY_S:
            return
        self._cancels_at = now
        placed = self._book.with_status(*PLACED)
        wanted = {f"{run.id}.{run.attempt}" for run in placed}
        for node in self._scheduler.nodes:
            for attempt in node.alive - wanted:
                await self._client.publish(f"ctl.{node.name}.cancel", attempt.encode())
        for run in placed:
            if run.cancel_requested or run.is_to_give_way:
                attempt = f"{run.id}.{run.attempt}"
                await self._client.publish(f"ctl.{run.node}.cancel", attempt.encode())

    async def _look_at_nodes(self) -> None:
        now = time.monotonic()
        if now - self._nodes_at > _NODES_EVERY_S:
            self._nodes_at = now
            self._scheduler.nodes = await self._nodes_source.present()
            self._scheduler.known = await self._nodes_source.known()

    async def _lose_unseen(self) -> None:
        """Give up attempts that no present node knows of."""
        now = time.monotonic()
        alive = frozenset().union(*(node.alive for node in self._scheduler.nodes))
        placed = {(run.id, run.attempt): run for run in self._book.with_status(*PLACED)}
        self._seen = {attempt: self._seen.get(attempt, now) for attempt in placed}
        for (id_, attempt), run in placed.items():
            silence = now - self._seen[id_, attempt]
            if f"{id_}.{attempt}" in alive:
                self._seen[id_, attempt] = now
            elif is_outside(run) and silence > self._settings.outside_silence_s:
                await self._change(id_, partial(fall_silent, attempt=attempt))
            elif not is_outside(run) and silence > UNSEEN_S:
                await self._lose(id_, attempt, "its node does not know of it any more")

    async def _lose(self, run: str, attempt: int, reason: str) -> None:
        _log.warning("attempt_lost", run=run, attempt=attempt, reason=reason)
        self._doubt()
        await self._change(run, lambda r: r.lose_attempt(attempt, reason))

    def _doubt(self) -> None:
        """What lost an attempt may lose the next one too, before the backend notices."""
        self._doubted_until = time.monotonic() + self._backend.doubt_s

    async def _change(self, run_id: str, change: Callable[[Run], None]) -> None:
        async def command(session: Session) -> None:
            run = await session.load(Run, run_id)
            change(run)
            await session.save(run)

        await self._command(command, run_id)
        await self._follow_runs()

    async def _command(self, command: Callable[[Session], Awaitable[None]], run: str) -> None:
        """Run a command. A Conflict means that the run has moved on, which is for it to know."""
        context = Context("dispatcher", datetime.now(UTC), f"dispatcher-{self._fence}")
        while True:
            try:
                await self._store.run(context, command)
            except Conflict as conflict:
                if conflict.code == "busy":
                    continue
                _log.debug("decision_overtaken", run=run, why=conflict.detail)
            except StorageFull:
                _log.warning("dispatcher_waits_for_space", run=run)
                await asyncio.sleep(1)
                continue
            return
