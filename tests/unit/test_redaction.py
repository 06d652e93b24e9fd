"""The value of a secret is in no line, however the line came and however it was spelled."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from hansard.formats.frames import unpack_log
from hansard.formats.journal import Journal
from hansard.formats.outbox import read_from
from workers.line_log import MAX_LINE_BYTES, LineLog
from workers.redaction import Redaction

KEY = 'pä55/wörd+of"mine'
PEM = "-----BEGIN KEY-----\nabcdefgh\nijklmnop\n-----END KEY-----\n"
SECRETS = {"KEY": KEY, "PEM": PEM, "TINY": "abc"}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LineLog]:
    with Journal(tmp_path / "outbox") as journal:
        yield LineLog("stdout", journal, Redaction(SECRETS))


def lines(log: LineLog, tmp_path: Path) -> list[str]:
    log.end()
    log.flush()
    chunks = [unpack_log(frame.payload) for frame, _ in read_from(tmp_path / "outbox")]
    return [line for chunk in chunks for line in chunk.lines]


def basic(user: str) -> str:
    """As HTTP puts a password into a header."""
    return base64.b64encode(f"{user}:{KEY}:{user}".encode()).decode()


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        json.dumps(KEY)[1:-1],
        quote(KEY, safe=""),
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
    ],
)
def test_every_spelling_is_taken_out_whole(log: LineLog, tmp_path: Path, spelled: str) -> None:
    log.feed(f"a {spelled} b {spelled}\n".encode())
    assert lines(log, tmp_path) == ["a [redacted:KEY] b [redacted:KEY]"]


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "abcd"])
def test_base64_within_something_else_gives_nothing_away(
    log: LineLog, tmp_path: Path, user: str
) -> None:
    log.feed(f"Authorization: Basic {basic(user)}\n".encode())
    (line,) = lines(log, tmp_path)
    assert "[redacted:KEY]" in line
    rest = line.removeprefix("Authorization: Basic ").replace("[redacted:KEY]", "")
    assert len(rest) <= len(basic(user)) - len(base64.b64encode(KEY.encode())) + 8


def test_a_secret_in_pieces_is_one(log: LineLog, tmp_path: Path) -> None:
    for byte in f"x{KEY}y\n".encode():
        log.feed(bytes([byte]))
    assert lines(log, tmp_path) == ["x[redacted:KEY]y"]


def test_a_secret_of_several_lines_is_taken_out_line_by_line(log: LineLog, tmp_path: Path) -> None:
    log.feed(PEM.encode())
    assert set(lines(log, tmp_path)) == {"[redacted:PEM]"}


def test_what_is_too_short_stays(log: LineLog, tmp_path: Path) -> None:
    log.feed(b"abc\n")
    assert lines(log, tmp_path) == ["abc"]


@pytest.mark.parametrize("before", range(-40, 3))
def test_a_secret_at_the_cut_is_never_told_in_part(
    log: LineLog, tmp_path: Path, before: int
) -> None:
    """Wherever the line is cut, and though earlier secrets made it shorter."""
    encoded = KEY.encode()
    start = encoded * 20
    filled = start + b"x" * (MAX_LINE_BYTES + before - len(start))
    log.feed(filled + encoded + b"y" * 100 + b"\n")
    (line,) = lines(log, tmp_path)
    told = line.partition(" [hansard:")[0]
    assert set(told.replace("[redacted:KEY]", "")) <= set("xy[redacted:KEY]")
    assert KEY[:2] not in told
    assert len(told.encode()) <= MAX_LINE_BYTES


def test_a_short_secret_all_over_a_line_does_not_make_it_longer(tmp_path: Path) -> None:
    with Journal(tmp_path / "outbox") as journal:
        log = LineLog("stdout", journal, Redaction({"A_VERY_LONG_NAME": "abcd"}))
        log.feed(b"abcd" * MAX_LINE_BYTES + b"\n")
        (line,) = lines(log, tmp_path)
    assert len(line) < MAX_LINE_BYTES + 100
    assert "abcd" not in line


def test_documents_are_cleaned_in_depth() -> None:
    document = {"reason": f"bad {KEY}", "list": [1, None, {KEY: True}], "pair": (KEY,)}
    assert Redaction(SECRETS).clean(document) == {
        "reason": "bad [redacted:KEY]",
        "list": [1, None, {"[redacted:KEY]": True}],
        "pair": ["[redacted:KEY]"],
    }


def test_without_secrets_nothing_changes() -> None:
    document = {"a": (1, "b")}
    assert Redaction({}).clean(document) is document
    assert Redaction({}).cut(b"abcdef", 3) == b"abc"
