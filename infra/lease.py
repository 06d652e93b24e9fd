"""Leadership: one holder at a time, told by the sequence of a message in the lease stream.

A holder renews with the expectation that nobody wrote since; a rival takes over after it has seen
no renewal for `EXPIRES_S` by its own clock. The sequence of the taking is the fencing number: it
only ever grows, so whoever obeys the highest number seen obeys one leader.
"""

import time
from dataclasses import dataclass, field
from secrets import token_hex

import orjson
from nats.aio.client import Client

from infra.event_log import direct_get
from infra.event_log.reading import DirectReader, until_answered

STREAM = "LEASES"
EXPIRES_S = 5.0
RENEW_EVERY_S = 1.0


class LeaseLost(Exception):
    """Somebody else leads now."""


@dataclass(slots=True)
class Lease:
    """The lease called `name`, as seen by one candidate."""

    client: Client
    name: str
    holder: str = field(default_factory=lambda: token_hex(8))
    fence: int = 0
    _sequence: int = 0
    _seen_at: float = 0.0
    _renewed_at: float = 0.0

    async def try_take(self) -> bool:
        """Take the lease if it is free or has expired; call again until it answers True."""
        found = await DirectReader(self.client).fetch(direct_get.last(STREAM, self._subject))
        sequence = found[0].position if found else 0
        released = bool(found) and not orjson.loads(found[0].payload)["holder"]
        if sequence != self._sequence:
            self._sequence, self._seen_at = sequence, time.monotonic()
        expired = time.monotonic() - self._seen_at > EXPIRES_S
        if not (sequence == 0 or released or expired):
            return False
        if not await self._write(self.holder):
            return False
        self.fence = self._sequence
        return True

    async def renew(self) -> None:
        """Keep the lease; does nothing until it is time. Raises LeaseLost."""
        if time.monotonic() - self._renewed_at < RENEW_EVERY_S:
            return
        if not await self._write(self.holder):
            raise LeaseLost(f"another process holds the lease `{self.name}`")

    async def release(self) -> None:
        """Let the next candidate take it at once."""
        if self.fence:
            await self._write("")

    @property
    def _subject(self) -> str:
        return f"lease.{self.name}"

    async def _write(self, holder: str) -> bool:
        payload = orjson.dumps({"holder": holder, "nonce": token_hex(8)})
        headers = {"Nats-Expected-Last-Subject-Sequence": str(self._sequence)}
        answer = await until_answered(
            lambda: self.client.request(self._subject, payload, 3, headers=headers)
        )
        acknowledged = orjson.loads(answer.data)
        if "error" in acknowledged:  # which may still carry a sequence, of 0
            return await self._is_ours(payload)
        self._sequence, self._renewed_at = acknowledged["seq"], time.monotonic()
        return True

    async def _is_ours(self, payload: bytes) -> bool:
        """Whether what stands there is this very write, whose acknowledgement was lost."""
        found = await DirectReader(self.client).fetch(direct_get.last(STREAM, self._subject))
        if not found or found[0].payload != payload:
            return False
        self._sequence, self._renewed_at = found[0].position, time.monotonic()
        return True
