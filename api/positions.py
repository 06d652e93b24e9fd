"""Waits until the read models have folded the record up to a position."""

import asyncio

import psycopg
import structlog
from psycopg_pool import ConnectionPool

from domain.errors import DomainError
from infra.database import Connection

_POLL_S = 0.01
_PAUSE_S = 0.1
_PATIENCE_S = 10.0


_log = structlog.get_logger(__name__)


class Positions:
    """One poller per process, running only while somebody waits."""

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool
        self._known = 0
        self._waiting = 0
        self._moved = asyncio.Condition()
        self._poller: asyncio.Task[None] | None = None

    async def wait(self, position: int) -> None:
        """Return once `position` is folded. Raises DomainError `behind` after ten seconds."""
        if position <= self._known:
            return
        self._waiting += 1
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(_PATIENCE_S), self._moved:
                await self._moved.wait_for(lambda: position <= self._known)
        except TimeoutError:
            raise DomainError(
                "the read model has not got there yet; try again",
                code="behind",
                position=self._known,
            ) from None
        finally:
            self._waiting -= 1

    def read(self, connection: Connection) -> int:
        """The position folded up to, as this connection sees it."""
        row = connection.execute("SELECT position FROM tracking WHERE stream = 'EVENTS'").fetchone()
        assert row is not None
        return int(row[0])

    async def _poll(self) -> None:
        try:
            while self._waiting:
                try:
                    known = await asyncio.to_thread(self._read)
                except psycopg.Error as error:  # away, or not yet made: the waiting have a deadline
                    _log.warning("position_not_read", error=type(error).__name__)
                    await asyncio.sleep(_PAUSE_S)
                    continue
                async with self._moved:
                    self._known = known
                    self._moved.notify_all()
                await asyncio.sleep(_POLL_S)
        finally:
            self._poller = None

    def _read(self) -> int:
        with self._pool.connection() as connection:
            return self.read(connection)
