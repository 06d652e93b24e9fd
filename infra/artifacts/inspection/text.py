"""Text in UTF-8: prose, code, CSV, logs; and JSON, which is text that parses."""

import codecs
import json
import re

from infra.artifacts.inspection.source import HEAD_BYTES, Refused, Source

_CONTROL = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
"""Not in text; a backspace and an escape are, in what a terminal showed."""
_WHOLE_BYTES = 4 << 20
_SAMPLES = 16
_SAMPLE_BYTES = HEAD_BYTES + 1024
"""More than the end of a zip archive takes: none can hide in the last sample."""
_JSON_BYTES = 1 << 20
_JSON_UNITS = 4  # parsing a byte costs as much as reading so many
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def is_text(data: bytes, *, last: bool) -> bool:
    """Whether these bytes are UTF-8 without control characters; cut anywhere unless `last`."""
    if len(data.translate(None, _CONTROL)) != len(data):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, last)
    except UnicodeDecodeError:
        return False
    return True


def recognise(source: Source) -> str:
    """`json` or `text`, for a file whose head is text. Raises Refused if the rest is not."""
    if not source.depth and not source.is_whole:
        _check_rest(source)
    if source.depth:  # what it is called in an archive tells nobody anything
        return "text"
    return "json" if _is_json(source) else "text"


def _check_rest(source: Source) -> None:
    """All of the rest, or samples of a large file and its end."""
    rest = source.size - len(source.head)
    if source.size <= _WHOLE_BYTES:
        _check_part(source, len(source.head), rest)
        return
    last = source.size - _SAMPLE_BYTES
    for number in range(1, _SAMPLES):
        _check_part(source, number * last // _SAMPLES, _SAMPLE_BYTES)
    _check_part(source, last, _SAMPLE_BYTES)


def _check_part(source: Source, start: int, length: int) -> None:
    part = source.peek(start, length)
    first = next((at for at in range(min(4, len(part))) if part[at] & 0xC0 != 0x80), 0)
    if not is_text(part[first:], last=start + length == source.size):
        raise Refused(
            "it begins as text and goes on as something else: text must be UTF-8 to its end"
        )


def _is_json(source: Source) -> bool:
    opening = source.head[:1]
    if opening.isspace():
        opening = source.head.lstrip()[:1]
    if opening not in (b"{", b"["):
        return False
    size = len(source.head) if source.is_whole else source.size
    if size <= _JSON_BYTES:
        source.budget.spend(_JSON_UNITS * size)
        return _parses(source.read(0, size))
    return _goes_on(source.head.decode("utf-8", "ignore")) and _ends_with(source, opening)


def _parses(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _goes_on(head: str) -> bool:
    """Whether the first bracket is still open at the end: else these are lines of JSON."""
    open_brackets: list[str] = []
    for match in _BRACKETS.finditer(head):
        mark = match[0]
        if mark in _CLOSING:
            open_brackets.append(_CLOSING[mark])
        elif mark in ("}", "]") and (open_brackets.pop() != mark or not open_brackets):
            return False
    return True


def _ends_with(source: Source, opening: bytes) -> bool:
    closing = _CLOSING[opening.decode()].encode()
    return source.peek(source.size - 256, 256).rstrip().endswith(closing)
