"""The policies that are active now, from the record; read again when the record has changed."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from domain.aggregate import Aggregate
from domain.policy import Policy
from infra.event_codec import decode
from infra.event_log.log import EventLog
from policies.document import read_policy
from policies.pdp import PolicySet
from projections.access.changes import Changes
from projections.access.in_force import InForce, in_force

T = TypeVar("T")

_PAGE = 500

_log = structlog.get_logger(__name__)


class ActivePolicies:
    """Follows the policies' events; everything that decides asks it for the present set."""

    def __init__(self, log: EventLog, changes: Changes) -> None:
        self._log = log
        self._changes = changes
        self._position = 0
        self._policies: dict[str, Policy] = {}
        self._in_force: InForce | None = None
        self._made_of = 0  # position
        self._heard = 0  # changes
        self._read_heard = 0  # of these, when reading last began
        self._read_at = 0.0
        self._reading = asyncio.Lock()
        self._supposing = asyncio.Semaphore(1)
        changes.listen(self.noticed)

    def noticed(self, ids: frozenset[str]) -> None:
        """Hear which aggregates have new events."""
        if any(id_.startswith("policy-") for id_ in ids):
            self._heard += 1

    async def current(self) -> PolicySet:
        """The active policies as one; where they cannot be read, one that permits next to nothing.

        While changes may pass unnoticed, the record is asked each time. Raises LogUnavailable.
        """
        return (await self.in_force()).policies

    async def newest(self) -> PolicySet:
        """The active policies as the record has them at this moment, whoever wrote it."""
        self._heard += 1
        return await self.current()

    async def in_force(self) -> InForce:
        """The same with the texts, and with what is wrong with them."""
        asked = time.monotonic()
        found = self._known(asked)
        if found is None:
            async with self._reading:
                found = self._known(asked) or await self._renewed()
        return found

    async def with_change(self, name: str, text: str | None) -> tuple[PolicySet, PolicySet]:
        """The present set, and the set with one policy replaced, added or (None) left out.

        Raises PolicyError for a text that does not compile together with the others.
        """
        now = await self.in_force()
        document = None if text is None else read_policy(text)
        return await asyncio.to_thread(now.changed, name, document)

    async def supposing(self, question: Callable[[InForce], T]) -> T:
        """The answer to what compiles policies just for asking: one at a time, in a thread."""
        now = await self.in_force()
        async with self._supposing:
            return await asyncio.to_thread(question, now)

    def _known(self, asked: float) -> InForce | None:
        """What was read last, if nothing can have changed since."""
        if self._made_of != self._position or self._read_heard != self._heard:
            return None
        return self._in_force if self._changes.trusted or self._read_at >= asked else None

    async def _renewed(self) -> InForce:
        began, heard = time.monotonic(), self._heard
        await self._read()
        found, position = self._in_force, self._position
        if found is None or self._made_of != position:
            found = await asyncio.to_thread(in_force, self._texts())
            if found.broken is not None:
                _log.error("active_policies_broken", error=found.broken, names=found.unreadable)
            self._in_force, self._made_of = found, position
        self._read_at, self._read_heard = began, heard
        return found

    def _texts(self) -> dict[str, str]:
        proposals = {policy.name: policy.active_proposal for policy in self._policies.values()}
        return {name: proposal.text for name, proposal in proposals.items() if proposal}

    async def _read(self) -> None:
        layout = self._log.layout
        while messages := await self._log.read_after(
            self._position, _PAGE, layout.of_kind("policy")
        ):
            for message in messages:
                id_, version = layout.parse(message.subject)
                event = decode(str(id_), version, message.topic, message.payload)
                policy: Aggregate | None = event.mutate(self._policies.get(str(id_)))
                assert isinstance(policy, Policy)
                self._policies[policy.id] = policy
                self._position = message.position
