"""Events as files: JSON lines, CSV that no spreadsheet takes for formulas, and Parquet."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hansard.cli.output import document
from hansard.client_errors import HansardError

if TYPE_CHECKING:
    from hansard.client import Event

COLUMNS = (
    *("position", "time", "actor", "action", "kind", "entity", "version", "project", "reason"),
    *("request", "causation", "policy", "rule", "permitted", "topic", "hash"),
    *("changes", "data"),
)
"""Of CSV and Parquet; the last two are JSON. Policy and rule are of the first decision on it."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_ROWS = 10_000


def export(events: "Iterable[Event]", format_: str, out: Path | None) -> int:
    """Write events as `jsonl`, `csv` or `parquet`; answers how many.

    The file is there only once it is whole. Raises HansardError where Parquet cannot be written.
    """
    write = _WRITERS[format_]
    if out is None:
        return write(events, sys.stdout.buffer)
    with _whole(out) as file:
        return write(events, file)


@contextmanager
def _whole(out: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when it is complete; others of the machine cannot read it."""
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _jsonl(events: "Iterable[Event]", file: IO[bytes]) -> int:
    count = 0
    for event in events:
        file.write(json.dumps(document(event), ensure_ascii=False).encode() + b"\n")
        count += 1
    file.flush()
    return count


def _csv(events: "Iterable[Event]", file: IO[bytes]) -> int:
    count, line = 0, _Line()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    file.write(line.text.encode())
    for event in events:
        writer.writerow([harmless(value) for value in _row(event).values()])
        file.write(line.text.encode())
        count += 1
    file.flush()
    return count


def _parquet(events: "Iterable[Event]", file: IO[bytes]) -> int:
    try:
        import pyarrow as pa  # noqa: PLC0415 - not everybody has it
        from pyarrow import parquet  # noqa: PLC0415 - same
    except ImportError:
        raise HansardError("Parquet needs pyarrow: pip install pyarrow") from None
    types = {"position": pa.int64(), "time": pa.timestamp("us", "UTC"), "version": pa.int64()}
    types |= {"permitted": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    count, rows = 0, map(_row, events)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(some, schema))
            count += len(some)
    return count


class _Line:
    """What a CSV writer wrote last."""

    text = ""

    def write(self, text: str) -> int:
        """Take a line."""
        self.text = text
        return len(text)


def _row(event: "Event") -> dict[str, Any]:
    decision = next((d for d in event.decisions if d.entity == event.entity), None)
    members: Mapping[str, Any] = document(event)
    row = {name: members.get(name) for name in COLUMNS}
    row["time"] = event.time
    for name in ("changes", "data"):
        row[name] = json.dumps(members[name], ensure_ascii=False)
    for name in ("policy", "rule", "permitted"):
        row[name] = getattr(decision, name, None)
    return row


def harmless(value: Any) -> Any:
    """The cell with a quote in front of what a spreadsheet would compute.

    >>> harmless("=1+1"), harmless("plain"), harmless(-3)
    ("'=1+1", 'plain', -3)
    """
    if isinstance(value, str) and value.lstrip().startswith(_FORMULAS):
        return f"'{value}"
    return value


_WRITERS: Mapping[str, Callable[["Iterable[Event]", IO[bytes]], int]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
}
