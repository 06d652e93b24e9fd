"""Destroys values of secrets that the record does not name (any more).

Such are left behind where a process died between keeping a value and recording it, or between
recording a deletion or a rotation and destroying the value.
"""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import structlog

from domain.aggregate import Context
from domain.secret import Secret
from infra.event_log.errors import LogUnavailable
from infra.event_store import EventStore, Session
from infra.secret_vault import SecretVault, parsed

_EVERY_S = 3600.0
_RETRY_S = 60.0
_PAGE = 500
SETTLED = timedelta(minutes=10)
"""What is younger may be about to be recorded."""

_log = structlog.get_logger(__name__)


class SecretSweep:
    """Looks through all kept values, from time to time."""

    def __init__(self, store: EventStore, vault: SecretVault) -> None:
        self._store = store
        self._vault = vault

    async def run(self, stopped: threading.Event) -> None:
        """Sweep every hour until the process must stop."""
        while not stopped.is_set():
            pause_s = _EVERY_S
            try:
                if count := await self.sweep(datetime.now(UTC) - SETTLED):
                    _log.info("values_of_secrets_swept", count=count)
            except LogUnavailable as error:
                _log.warning("sweep_of_secrets_put_off", error=str(error))
                pause_s = _RETRY_S
            until = time.monotonic() + pause_s
            while not stopped.is_set() and time.monotonic() < until:
                await asyncio.to_thread(stopped.wait, 1.0)

    async def sweep(self, before: datetime) -> int:
        """Destroy what was kept before a moment and is named by nothing; answers how many."""
        position, count = 0, 0
        while kept := await self._vault.after(position, _PAGE):
            for message in kept:
                position = message.position
                if datetime.fromisoformat(message.time) >= before:
                    continue
                secret, key = parsed(message.subject)
                if await self._named(secret) != key:
                    await self._vault.erase(secret, key)
                    count += 1
        return count

    async def _named(self, id_: str) -> str | None:
        """The key under which the present value of a secret is kept."""

        async def look(session: Session) -> Secret | None:
            return await session.find(Secret, id_)

        secret = await self._store.run(Context("custodian", datetime.now(UTC), "sweep"), look)
        return None if secret is None or secret.deleted else secret.key
