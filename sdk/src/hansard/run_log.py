"""Logging from user code: metric points and notes go to files in the step folder.

A call returns when the data is in the page cache, so the death of the step loses nothing. Outside
a run the arguments are checked all the same, one warning is given and nothing is kept: the same
code works in a notebook.
"""

import json
import operator
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, SupportsFloat

from hansard.formats.points import HARDWARE_PREFIX, MAX_KEY_CHARS, Writer
from hansard.plain import plain, scalar

STEP_DIR_VARIABLE = "HANSARD_STEP_DIR"
MUTE_VARIABLE = "HANSARD_MUTE"
"""Set where what is logged is checked and dropped: in workers of a step other than the first."""
NOTES_NAME = "notes.jsonl"
MAX_NOTE_BYTES = 1024 * 1024

_INT64 = range(-(2**63), 2**63)

_writer: Writer | None = None
_warned = False


def log_metric(key: str, value: SupportsFloat, step: int | None = None) -> None:
    """Log one point of a metric; without ``step`` it gets the step after the key's last one.

    ``value`` is any real number, numpy and torch scalars included; NaN and infinities are kept.
    Raises TypeError for what is no number, ValueError for an integer that a float64 cannot hold
    exactly, for a step outside of int64 and for a key that is empty, longer than 250 characters,
    has control characters or begins with `system/`, which is for what the node measures.
    """
    number = value if type(value) is float else _float(value)
    if step is not None:
        step = checked_step(step)
    writer = _writer
    if writer is None or not writer.knows(key):
        _check_metric(key)
        writer = writer or _open_writer()
        if writer is None:
            return
    writer.append(key, number, step)


def log_metrics(metrics: Mapping[str, SupportsFloat], step: int | None = None) -> None:
    """Log one point of each metric, or none of them if one is refused; see `log_metric`."""
    numbers = {key: _float(value) for key, value in metrics.items()}
    for key in numbers:
        _check_metric(key)
    for key, number in numbers.items():
        log_metric(key, number, step)


def log_params(params: Mapping[str, Any]) -> None:
    """Log facts about the run beyond its form: JSON values by name; later ones win.

    Raises TypeError or ValueError for what JSON cannot hold, naming it.
    """
    for key in params:
        check_key(key)
    note({"kind": "params", "params": plain(dict(params), "params")})


def log_text(name: str, text: str) -> None:
    """Log a piece of text (a sample, a summary) of at most 1 MiB under a name."""
    check_key(name)
    if not isinstance(text, str):
        raise TypeError(f"`text` is a {type(text).__name__}, not text")
    note({"kind": "text", "name": name, "text": text})


def log_into(folder: Path | None) -> None:
    """Let what is logged from now on, also by child processes, go there; None: nowhere."""
    if folder is None:
        os.environ.pop(STEP_DIR_VARIABLE, None)
    else:
        os.environ[STEP_DIR_VARIABLE] = str(folder.resolve())
    _forget_writer()


def step_folder() -> Path | None:
    """The folder of the step that this process logs for; None, with one warning, outside a run."""
    global _warned
    if os.environ.get(MUTE_VARIABLE):
        return None
    folder = os.environ.get(STEP_DIR_VARIABLE)
    if folder:
        return Path(folder)
    if not _warned:
        _warned = True
        warnings.warn(
            "not inside a Hansard run: what is logged is checked and then dropped; "
            "`hansard run` runs this code with a record",
            RuntimeWarning,
            stacklevel=4,
        )
    return None


def _open_writer() -> Writer | None:
    global _writer
    folder = step_folder()
    if folder is not None:
        _writer = Writer(folder)
    return _writer


def note(facts: dict[str, Any]) -> None:
    """Add a line to the step's notes; not for step code. Raises ValueError for one too long."""
    line = json.dumps({**facts, "time": time.time()}).encode() + b"\n"
    if len(line) > MAX_NOTE_BYTES:
        raise ValueError(f"a note has at most {MAX_NOTE_BYTES} bytes, this one {len(line)}")
    folder = step_folder()
    if folder is None:
        return
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    file = os.open(folder / NOTES_NAME, flags, 0o600)
    try:
        os.write(file, line)  # one write: notes of several processes do not mix
    finally:
        os.close(file)


def check_key(key: str) -> None:
    """Raise TypeError or ValueError unless this can name a metric, a text or an item."""
    if not isinstance(key, str):
        raise TypeError(f"a key is text, not a {type(key).__name__}")
    if not 0 < len(key) <= MAX_KEY_CHARS:
        raise ValueError(f"a key has 1 to {MAX_KEY_CHARS} characters, this one {len(key)}")
    if any(
        ord(each) < 32 or 127 <= ord(each) < 160 or 0xD800 <= ord(each) < 0xE000 for each in key
    ):
        raise ValueError(f"the key {key!r} has control characters")


def _check_metric(key: str) -> None:
    check_key(key)
    if key.startswith(HARDWARE_PREFIX):
        raise ValueError(f"the key {key!r} is reserved: under {HARDWARE_PREFIX} the node measures")


def _float(value: object) -> float:
    number = scalar(value)
    if isinstance(number, float):
        return float(number)
    if isinstance(number, str | bytes | bytearray) or not hasattr(number, "__float__"):
        raise TypeError(f"a metric is a number, not a {type(value).__name__}")
    try:
        result = float(number)
    except OverflowError:
        raise ValueError("the number is outside of float64") from None
    if isinstance(number, int) and int(result) != number:
        raise ValueError(f"a float64 cannot hold {number} exactly: log it with log_params")
    return result


def checked_step(step: int) -> int:
    """A step as a whole number. Raises TypeError, and ValueError outside of int64."""
    whole = operator.index(step)
    if whole not in _INT64:
        raise ValueError("a step must fit into int64")
    return whole


def _forget_writer() -> None:
    """A forked child writes files of its own: its parent's are not shared."""
    global _writer
    _writer = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_writer)
