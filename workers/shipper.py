"""Ships the frames of one attempt to the broker, in order, each until it is acknowledged.

One frame of an attempt is under way at a time. With several, one lost in a broken connection would
be stored after its successors, and readers drop what is numbered below what they have seen.
Attempts are shipped side by side.
"""

import asyncio
import json

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from hansard.formats.frames import Frame
from hansard.formats.journal import is_end
from hansard.formats.outbox import START, read_from
from infra.telemetry_sending import NotStored, send
from workers.attempt_folder import AttemptFolder

_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_MARK_EVERY = 64

_log = structlog.get_logger(__name__)


class Shipper:
    """Goes on where the one before it stopped; repeats have the same `Nats-Msg-Id` and number."""

    def __init__(self, client: Client, folder: AttemptFolder) -> None:
        self._client = client
        self._folder = folder
        self._source = folder.source()
        self._offset = START
        self.ended = False
        """Whether the attempt's last frame was acknowledged."""
        if folder.shipped.exists():
            mark = json.loads(folder.shipped.read_bytes())
            self._offset, self.ended = mark["offset"], mark["ended"]

    async def ship_new(self) -> None:
        """Ship what is in the outbox; waits for the broker as long as it takes."""
        unmarked = 0
        for frame, offset in read_from(self._folder.outbox, self._offset):
            await self._deliver(frame)
            self._offset = offset
            self.ended = is_end(frame)
            unmarked += 1
            if unmarked == _MARK_EVERY:
                self._mark(frame.seq)
                unmarked = 0
        if unmarked:
            self._mark(frame.seq)

    def _mark(self, seq: int) -> None:
        part = self._folder.shipped.with_suffix(".part")
        part.write_text(json.dumps({"offset": self._offset, "seq": seq, "ended": self.ended}))
        part.rename(self._folder.shipped)

    async def _deliver(self, frame: Frame) -> None:
        pause = _PAUSE_S
        while True:
            try:
                return await send(self._client, self._source, frame)
            except (NatsError, OSError, NotStored) as error:
                _log.warning(
                    "frame_not_stored",
                    attempt=self._folder.name,
                    seq=frame.seq,
                    error=str(error) or type(error).__name__,
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
