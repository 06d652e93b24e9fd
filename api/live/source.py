"""One stream of the record, read from the hub's position on while somebody listens."""

from collections.abc import AsyncIterator, Callable

import structlog

from api.live.messages import LiveMessage
from infra.event_log.log import EventLog
from infra.event_log.message import LogMessage

_PAGE = 500

_log = structlog.get_logger(__name__)


class Source:
    """Reads a stream by position and decodes what it reads."""

    def __init__(
        self,
        name: str,
        log: EventLog,
        subjects: str,
        decode: Callable[[LogMessage], LiveMessage],
    ) -> None:
        self.name = name
        self.position = 0
        self._log = log
        self._subjects = subjects
        self._decode = decode

    async def start(self) -> None:
        """Begin behind the newest message."""
        last = await self._log.last(self._subjects)
        self.position = last.position if last else 0

    async def step(self) -> list[LiveMessage]:
        """What has come since the last step."""
        found: list[LiveMessage] = []
        full = True
        while full:
            messages = await self._log.read_after(self.position, _PAGE, self._subjects)
            if messages:
                self.position = messages[-1].position
            found += self._decoded(messages)
            full = len(messages) == _PAGE
        return found

    async def between(
        self, position: int, end: int, subjects: str | None = None
    ) -> AsyncIterator[LiveMessage]:
        """What lies behind a position, up to and including `end`."""
        while position < end:
            page = await self._log.read_after(position, _PAGE, subjects or self._subjects)
            for message in self._decoded([m for m in page if m.position <= end]):
                yield message
            if not page:  # a short page is no end: the broker cuts pages by size too
                return
            position = page[-1].position

    def _decoded(self, messages: list[LogMessage]) -> list[LiveMessage]:
        found = []
        for message in messages:
            try:
                found.append(self._decode(message))
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                _log.error("live_message_not_decoded", position=message.position, error=str(error))
        return found
