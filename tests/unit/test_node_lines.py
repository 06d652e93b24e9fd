"""What a step writes becomes numbered lines; what is too much is counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hansard.formats.frames import MAX_FRAME_BYTES, unpack_log
from hansard.formats.journal import Journal
from hansard.formats.outbox import read_from
from workers.line_log import BURST_LINES, CHUNK_CHARS, MAX_LINE_BYTES, LineLog
from workers.redaction import Redaction


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "outbox") as made:
        yield made


@pytest.fixture
def log(journal: Journal) -> LineLog:
    return LineLog("stdout", journal, Redaction({}))


def told(tmp_path: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for frame, _ in read_from(tmp_path / "outbox"):
        chunk = unpack_log(frame.payload)
        found |= dict(enumerate(chunk.lines, chunk.first_line))
    return found


def test_a_line_is_told_once_it_is_whole(log: LineLog, tmp_path: Path) -> None:
    log.feed(b"one\ntw")
    log.flush()
    assert told(tmp_path) == {1: "one"}
    log.feed(b"o\r\n\n")
    log.flush()
    assert told(tmp_path) == {1: "one", 2: "two", 3: ""}


def test_text_without_an_end_is_told_at_the_end(log: LineLog, tmp_path: Path) -> None:
    log.feed(b"half")
    log.end()
    log.end()
    log.flush()
    assert told(tmp_path) == {1: "half"}


def test_a_character_cut_in_two_reads_is_whole_again(log: LineLog, tmp_path: Path) -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    log.feed(first)
    log.feed(second + b"\n")
    log.flush()
    assert told(tmp_path) == {1: "é"}


def test_a_line_of_exactly_the_limit_is_not_cut(log: LineLog, tmp_path: Path) -> None:
    log.feed(b"x" * MAX_LINE_BYTES + b"\n" + b"y" * (MAX_LINE_BYTES + 1) + b"\n")
    log.flush()
    lines = told(tmp_path)
    assert lines[1] == "x" * MAX_LINE_BYTES
    assert lines[2].endswith("[hansard: 1 bytes cut]")


def test_dropped_lines_keep_their_numbers(log: LineLog, tmp_path: Path) -> None:
    log.feed(b"x\n" * (BURST_LINES + 5))
    log.flush()
    lines = told(tmp_path)
    assert len(lines) == BURST_LINES + 1
    assert lines[BURST_LINES + 1] == "[hansard: 5 lines dropped here, they came too fast]"


def test_lines_after_a_pause_follow_the_dropped_ones(
    log: LineLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.feed(b"x\n" * (BURST_LINES + 5))
    monkeypatch.setattr("workers.line_log.time.monotonic", lambda: 1e9)
    log.flush()
    log.feed(b"after\n")
    log.flush()
    assert told(tmp_path)[BURST_LINES + 6] == "after"


def test_the_worst_text_fits_into_frames(log: LineLog, tmp_path: Path) -> None:
    line = "😀" * (MAX_LINE_BYTES // 4)
    count = CHUNK_CHARS // len(line) + 10
    log.feed((line + "\n").encode() * count)
    log.flush()
    frames = [frame for frame, _ in read_from(tmp_path / "outbox")]
    assert all(len(frame.to_bytes()) <= MAX_FRAME_BYTES for frame in frames)
    assert sum(len(unpack_log(frame.payload).lines) for frame in frames) == count
