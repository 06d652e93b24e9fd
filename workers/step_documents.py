"""Reads what a step left behind, with distrust: sizes, kinds of files, and what JSON may hold."""

import json
import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansard.run_log import MAX_NOTE_BYTES, NOTES_NAME
from hansard.runner import FAILURE_NAME, MAX_RESULT_BYTES, RESULT_NAME
from workers.faults import StepFault

MAX_NOTES_BYTES = 1024 * 1024
"""Of parameters, texts and reads each; what is logged beyond it is counted and not kept."""

_INT64 = range(-(2**63), 2**63)
_MAX_FAILURE_BYTES = 512 * 1024


class DocumentRefused(StepFault):
    """A document of the step that is not what its runner would have written."""


@dataclass(slots=True)
class Notes:
    """What `log_params`, `log_text` and the reading of datasets left.

    ``read`` has the last note about each dataset by its name; ``dropped`` counts what was too much
    or no note.
    """

    params: dict[str, Any] = field(default_factory=dict)
    texts: list[dict[str, Any]] = field(default_factory=list)
    read: dict[str, dict[str, Any]] = field(default_factory=dict)
    dropped: int = 0


def read_result(step: Path) -> dict[str, Any] | None:
    """The final results; None if there are none. Raises DocumentRefused."""
    return _read(step / RESULT_NAME, MAX_RESULT_BYTES)


def read_failure(step: Path) -> dict[str, str] | None:
    """Type, message and traceback of the error that ended the step, if it left them."""
    try:
        found = _read(step / FAILURE_NAME, _MAX_FAILURE_BYTES)
    except DocumentRefused:
        return None
    if found is None:
        return None
    return {name: str(found.get(name, "")) for name in ("type", "message", "traceback")}


def read_notes(step: Path) -> Notes:
    """All notes that are whole and fit."""
    notes = Notes()
    room = dict.fromkeys(("params", "text", "read"), MAX_NOTES_BYTES)
    try:
        data = _content(step / NOTES_NAME, 64 * MAX_NOTE_BYTES)
    except DocumentRefused:
        data = b"\n"
    for line in (data or b"").splitlines():
        if not _take(line, notes, room):
            notes.dropped += 1
    return notes


def _take(line: bytes, notes: Notes, room: dict[str, int]) -> bool:
    try:
        note = parsed(line)
    except DocumentRefused:
        return False
    kind = note.get("kind")
    if kind not in room or len(line) > room[kind]:
        return False
    match note:
        case {"kind": "params", "params": dict(params)}:
            notes.params.update(params)
        case {"kind": "text", "name": str(name), "text": str(text)}:
            notes.texts.append({"name": name, "text": text, "time": note.get("time")})
        case {"kind": "read", "dataset": str(name)}:
            notes.read[name] = {**notes.read.get(name, {}), **_facts(note)}
        case _:
            return False
    room[kind] -= len(line)
    return True


def _facts(note: dict[str, Any]) -> dict[str, Any]:
    return {name: note[name] for name in ("time", "fingerprint") if name in note}


def _read(path: Path, max_bytes: int) -> dict[str, Any] | None:
    data = _content(path, max_bytes)
    return None if data is None else parsed(data)


def _content(path: Path, max_bytes: int) -> bytes | None:
    """A plain file's content. Raises DocumentRefused for links, pipes and what is too large."""
    try:
        # Neither follow a link out of the step nor wait for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DocumentRefused(f"`{path.name}` cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise DocumentRefused(f"`{path.name}` is not a plain file")
        if facts.st_size > max_bytes:
            raise DocumentRefused(f"`{path.name}` has more than {max_bytes} bytes")
        return file.read(max_bytes)


def parsed(data: bytes) -> dict[str, Any]:
    """JSON that every reader of the record can hold. Raises DocumentRefused."""
    try:
        found = json.loads(
            data, parse_constant=str, parse_int=_number(int), parse_float=_number(float)
        )
        clean = _clean(found)
    except (ValueError, RecursionError):
        raise DocumentRefused("a document of the step is not JSON") from None
    if not isinstance(clean, dict):
        raise DocumentRefused("a document of the step is not a JSON object")
    return clean


def _number(kind: Callable[[str], int | float]) -> Callable[[str], int | float | str]:
    """Numbers that 64 bits cannot hold stay text, as the SDK writes non-finite ones."""

    def parse(text: str) -> int | float | str:
        if len(text) > _MAX_DIGITS:
            return text
        number = kind(text)
        fits = number in _INT64 if isinstance(number, int) else math.isfinite(number)
        return number if fits else text

    return parse


_MAX_DIGITS = 400


def _clean(value: Any) -> Any:
    """Without what databases refuse in text: NUL and lone surrogates."""
    if isinstance(value, str):
        if "\0" not in value and value.isprintable():
            return value
        return value.replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return value
