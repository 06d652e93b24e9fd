"""Loads and saves aggregates: the unit of work that a command runs in."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from eventsourcing.domain import CanMutateAggregate
from eventsourcing.persistence import StoredEvent

from domain.aggregate import Aggregate, AggregateEvent, Context
from domain.errors import Conflict, NotFound
from infra.event_codec import current, decode, encode
from infra.event_log.errors import VersionConflict
from infra.event_log.log import EventLog
from infra.event_log.message import LogMessage

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")

_ATTEMPTS = 8


class AlreadyDone(Exception):
    """The command with this idempotency key was carried out before, at `position`."""

    def __init__(self, id_: str, position: int) -> None:
        super().__init__(id_, position)
        self.id = id_
        self.position = position


class Session:
    """One command's view of the record; what it loads it may change and save once."""

    def __init__(self, log: EventLog, context: Context) -> None:
        self._log = log
        self._context = context
        self._heads: dict[Any, str] = {}
        self._attached: dict[str, Aggregate] = {}
        self._credited: dict[str, str] = {}

    @property
    def actor(self) -> str:
        """Who commands."""
        return self._context.actor

    def attach(self, key: str, aggregate: Aggregate) -> None:
        """Save an aggregate together with whatever is saved next; under a key the first counts."""
        self._attached.setdefault(key, aggregate)

    def credit(self, aggregate: Aggregate, user: str) -> None:
        """Let what an aggregate emits be the user's doing, caused by whoever commands."""
        self._credited[aggregate.id] = user

    async def load(self, kind: type[A], id_: str, *, repeats: bool = True) -> A:
        """The aggregate as it is now.

        Raises NotFound, and AlreadyDone if one of its events carries this command's key.
        """
        aggregate = await self.find(kind, id_, repeats=repeats)
        if aggregate is None:
            raise NotFound(f"there is no {kind.__name__.lower()} {id_}", id=id_)
        return aggregate

    async def find(self, kind: type[A], id_: str, *, repeats: bool = True) -> A | None:
        """Like `load`, but None where there is nothing (or something of another kind).

        A creation looks at others without `repeats`: it is known by its own id.
        """
        messages = await self._log.read(id_) if id_ else []
        if not messages:
            return None
        if repeats:
            self._refuse_repeat(id_, messages)
        self._heads[id_] = messages[-1].hash
        aggregate: Any = None
        for version, message in enumerate(messages, 1):
            aggregate = decode(id_, version, message.topic, message.payload).mutate(aggregate)
        if not isinstance(aggregate, kind):
            return None
        aggregate.created_by = str(orjson.loads(messages[0].payload)["actor"])
        return aggregate

    async def save(self, *aggregates: Aggregate) -> int:
        """Append all pending events of all aggregates, or none; answer the last position.

        A creation that is in the log already with the same content counts as done: raises
        AlreadyDone. Raises VersionConflict when another writer was first.
        """
        first = aggregates[0]
        creation = first.pending_events[:1] if first.version == len(first.pending_events) else []
        events = [event for a in aggregates for event in self._encoded(a)]
        if events:
            events = [e for a in self._attached.values() for e in self._encoded(a)] + events
        else:
            last = await self._log.last()
            return last.position if last else 0
        try:
            positions = await self._log.append(events, self._heads)
        except VersionConflict:
            if creation:
                await self._refuse_repeated(first.id, creation[0])
            raise
        return positions[-1]

    async def refuse_repeated_creation(self, aggregate: Aggregate) -> None:
        """Look whether this very creation is in the log already.

        Raises AlreadyDone if so, Conflict `id-taken` if the id belongs to something else.
        """
        await self._refuse_repeated(aggregate.id, aggregate.pending_events[0])

    async def _refuse_repeated(self, id_: str, event: CanMutateAggregate[str]) -> None:
        assert isinstance(event, AggregateEvent)
        first = (await self._log.read(id_, lte=1))[:1]
        if not first:
            return
        _, before = current(first[0].topic, orjson.loads(first[0].payload))
        now = orjson.loads(encode(event, self._context, {}).state)
        if before["data"] == now["data"] and before["actor"] == now["actor"]:
            raise AlreadyDone(id_, first[0].position)
        raise Conflict("this id is in use", code="id-taken", id=id_)

    def _encoded(self, aggregate: Aggregate) -> list[StoredEvent]:
        scope, context = scope_of(aggregate), self._context
        if (user := self._credited.get(aggregate.id)) is not None:
            context = replace(context, actor=user, causation=context.actor)
        return [
            encode(event, context, scope)
            for event in aggregate.collect_events()
            if isinstance(event, AggregateEvent)
        ]

    def _refuse_repeat(self, id_: str, messages: list[LogMessage]) -> None:
        key = self._context.idempotency_key
        if key is None:
            return
        for message in reversed(messages):
            payload = orjson.loads(message.payload)
            if payload.get("key") == key and payload["actor"] == self._context.actor:
                raise AlreadyDone(id_, message.position)


class EventStore:
    """Runs commands against the record."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def run(self, context: Context, command: Callable[[Session], Awaitable[T]]) -> T:
        """Run a command in a session of its own, again when another writer was first.

        Raises Conflict when it loses every time.
        """
        for _ in range(_ATTEMPTS):
            try:
                return await command(Session(self._log, context))
            except VersionConflict:
                continue
        raise Conflict("others keep changing this; try again", code="busy")


def scope_of(aggregate: Aggregate) -> dict[str, str]:
    """The project and experiment an aggregate belongs to, as far as it does."""
    found = {name: getattr(aggregate, name, None) for name in ("project", "experiment")}
    return {name: value for name, value in found.items() if value is not None}
