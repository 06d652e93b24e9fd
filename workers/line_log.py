"""Turns what a step writes to a stream into numbered lines: bounded, and honest about it.

Lines are numbered as the step wrote them. Where lines had to be dropped one line says how many,
under the number of the first of them. Secrets are taken out before anything is written.
"""

import time

from hansard.formats.frames import LogChunk
from hansard.formats.journal import Journal
from workers.redaction import Redaction

MAX_LINE_BYTES = 16 * 1024
BURST_LINES = 20_000
LINES_PER_S = 2_000
BURST_BYTES = 4 * 1024 * 1024
BYTES_PER_S = 512 * 1024
CHUNK_LINES = 5_000
CHUNK_CHARS = 256 * 1024
"""As JSON a character takes twelve bytes at most, so that a chunk fits into a frame."""


class LineLog:
    """The lines of one stream. `feed` never blocks and never fails; `flush` writes frames."""

    def __init__(self, stream: str, journal: Journal, redaction: Redaction) -> None:
        self._stream = stream
        self._journal = journal
        self._redaction = redaction
        self._begun = bytearray()
        self._cut_bytes = 0
        self._next_line = 1
        self._lines: list[str] = []
        self._times: list[int] = []
        self._dropped = 0
        self._room_lines = float(BURST_LINES)
        self._room_bytes = float(BURST_BYTES)
        self._filled_at = time.monotonic()

    def feed(self, data: bytes) -> None:
        """Take bytes as they come out of the pipe."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._extend(piece)
            self._finish_line()
        self._extend(rest)

    def end(self) -> None:
        """The stream is closed: a line without an end is a line too."""
        if self._begun or self._cut_bytes:
            self._finish_line()

    def flush(self) -> None:
        """Write the lines since the last call. Raises OSError when the disk is full."""
        first = self._next_line - self._dropped - len(self._lines)
        for start, stop in _chunks(self._lines):
            lines, times = self._lines[start:stop], self._times[start:stop]
            self._journal.log(LogChunk(self._stream, first + start, lines, times))
        if self._dropped:
            told = f"[hansard: {self._dropped} lines dropped here, they came too fast]"
            place = self._next_line - self._dropped
            self._journal.log(LogChunk(self._stream, place, [told], [_now_ms()]))
        self._lines, self._times, self._dropped = [], [], 0
        self._refill()

    def _extend(self, piece: bytes) -> None:
        room = MAX_LINE_BYTES + self._redaction.longest - len(self._begun)
        self._begun += piece[:room]
        self._cut_bytes += max(0, len(piece) - room)

    def _finish_line(self) -> None:
        self._next_line += 1
        if self._dropped or self._room_lines < 1 or self._room_bytes < len(self._begun):
            self._dropped += 1
        else:
            self._room_lines -= 1
            self._room_bytes -= len(self._begun)
            self._lines.append(self._text())
            self._times.append(_now_ms())
        self._begun.clear()
        self._cut_bytes = 0

    def _text(self) -> str:
        line = bytes(self._begun.removesuffix(b"\r"))
        cut = self._cut_bytes + max(0, len(line) - MAX_LINE_BYTES)
        text = self._redaction.cut(line, MAX_LINE_BYTES).decode(errors="replace")
        return f"{text} [hansard: {cut} bytes cut]" if cut else text

    def _refill(self) -> None:
        now = time.monotonic()
        passed, self._filled_at = now - self._filled_at, now
        self._room_lines = min(BURST_LINES, self._room_lines + passed * LINES_PER_S)
        self._room_bytes = min(BURST_BYTES, self._room_bytes + passed * BYTES_PER_S)


def _chunks(lines: list[str]) -> list[tuple[int, int]]:
    """Where to cut, so that each part fits into a frame."""
    parts: list[tuple[int, int]] = []
    start = size = 0
    for at, line in enumerate(lines):
        size += len(line)
        if at - start >= CHUNK_LINES or size > CHUNK_CHARS:
            parts.append((start, at))
            start, size = at, len(line)
    return [*parts, (start, len(lines))] if lines else []


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
