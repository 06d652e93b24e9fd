"""Notices what decisions depend on: users, groups, tokens, policies, and how things are shared.

The record is asked ten times a second whether it has grown, and then for the events of these kinds
only. What this process appends itself is noticed at once. While the record cannot be asked, what is
remembered is not trusted.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from math import inf

import structlog

from infra.event_log.log import EventLog

KINDS = (
    *("user", "group", "token", "policy", "project", "experiment"),
    *("executor", "model", "loader", "dataset", "secret"),
)

_POLL_S = 0.1
_PAGE = 500
_TRUSTED_S = 1.0

_log = structlog.get_logger(__name__)

Listener = Callable[[frozenset[str]], None]
"""Called with the ids of the aggregates that have changed."""


class Changes:
    """One reader per process."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._position: int | None = None
        self._asked = -inf
        self._listeners: list[Listener] = []
        self._reader: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to read."""
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Stop reading; a cancellation that meets an answer is lost, so it is said twice.

        What is remembered is not trusted from then on.
        """
        self._closing = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        self._asked = -inf

    def listen(self, listener: Listener) -> None:
        """Call back for every change."""
        self._listeners.append(listener)

    def noticed(self, ids: Iterable[str]) -> None:
        """Tell the listeners of changes to these aggregates, as far as they matter."""
        found = frozenset(id_ for id_ in ids if id_.partition("-")[0] in KINDS)
        if found:
            for listener in self._listeners:
                listener(found)

    @property
    def trusted(self) -> bool:
        """Whether nothing can have changed unnoticed for longer than a second."""
        return time.monotonic() - self._asked < _TRUSTED_S

    async def _read(self) -> None:
        while not self._closing:
            started = time.monotonic()
            try:
                await self._step()
                self._asked = started
            except Exception as error:  # noqa: BLE001 - whatever it is, reading must go on
                _log.warning("changes_not_read", error=type(error).__name__)
            await asyncio.sleep(_POLL_S)

    async def _step(self) -> None:
        last = await self._log.last()
        end = last.position if last else 0
        if self._position is None:
            self._position = end
        if end > self._position:
            found = [await self._changed(kind, self._position, end) for kind in KINDS]
            self.noticed(id_ for ids in found for id_ in ids)
            self._position = end

    async def _changed(self, kind: str, position: int, end: int) -> set[str]:
        layout, found = self._log.layout, set()
        while messages := await self._log.read_after(position, _PAGE, layout.of_kind(kind)):
            found |= {str(layout.parse(message.subject)[0]) for message in messages}
            position = messages[-1].position
            if position >= end:
                break
        return found
