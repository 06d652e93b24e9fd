"""One read-only query in a stated order, kept as a Parquet file when first asked for."""

import json
import tempfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansard.sources.contract import (
    PIECE_BYTES,
    Closing,
    Entry,
    check_range,
    file_digest,
    known,
    summary,
)
from hansard.sources.errors import QueryRefused
from hansard.sources.libraries import require
from hansard.sources.parquet import Column, Written

ROWS_FILE = "rows.parquet"
MAX_QUERY_CHARS = 1_000_000
_WHY = "the database moves on: only a copy of the rows gives the same data again"
_TIES = (
    "{count} rows tie in the stated order, so that the database may answer them in another order"
    " next time: add columns to order_by until no two rows tie"
)
Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """A column of the result to order by."""

    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. Values belong into `parameters`: the text is kept, of them only a digest."""

    text: str
    parameters: Parameters | None = field(repr=False)
    order_by: tuple[Order, ...]

    def keys(self, columns: Sequence[str]) -> list[int]:
        """Where the columns of the order are. Raises QueryRefused for one that is not there."""
        doubled = sorted({name for name in columns if columns.count(name) > 1})
        if doubled:
            raise QueryRefused(f"two columns are named `{doubled[0]}`: name them with AS")
        for each in self.order_by:
            if each.column not in columns:
                names = ", ".join(columns)
                raise QueryRefused(f"order_by names `{each.column}`, the rows have: {names}")
        return [columns.index(each.column) for each in self.order_by]

    def hidden(self, text: str) -> str:
        """A database's message without the values of parameters, which may be secret."""
        values = self.parameters or ()
        for value in values.values() if isinstance(values, Mapping) else values:
            if str(value):
                text = text.replace(str(value), "...")
        return text

    def document(self) -> dict[str, Any]:
        """The members of a fingerprint that say what was asked."""
        return {
            "query": self.text,
            "parameters_digest": _digest(self.parameters),
            "order_by": [
                f"{each.column} desc" if each.descending else each.column for each in self.order_by
            ],
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows as they were read, and what the database says about when that was."""

    columns: Sequence[Column]
    written: Written
    database: dict[str, Any]


def parse_query(
    text: str | None, parameters: Parameters | None, order_by: str | Sequence[str] | None
) -> Query:
    """Raises QueryRefused where something is missing, most of all the order.

    >>> parse_query("SELECT a, b FROM t;", None, "a, b desc").order_by[1]
    Order(column='b', descending=True)
    """
    text = (text or "").strip().rstrip(";").rstrip()
    if not text or "\0" in text or len(text) > MAX_QUERY_CHARS:
        raise QueryRefused(f"give a query= of 1 to {MAX_QUERY_CHARS} characters")
    if isinstance(parameters, str | bytes):
        raise QueryRefused("parameters= is a list, or a mapping of names to values")
    names = order_by.split(",") if isinstance(order_by, str) else list(order_by or ())
    order = tuple(_order(name) for name in names if name.strip())
    if not order:
        raise QueryRefused(
            "give order_by=: rows without a stated order come in another order next time, and are"
            " not reproducible"
        )
    return Query(text, parameters, order)


class QuerySource(Closing, ABC):
    """The rows of a query as the one file `rows.parquet`: read once, in one snapshot."""

    kind: str
    parallel_ranges = False

    def __init__(self, query: Query) -> None:
        self._query = query
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._entry: Entry | None = None
        self._folder = tempfile.mkdtemp(prefix="hansard-rows-")
        self._file = Path(self._folder) / ROWS_FILE
        self._removal = weakref.finalize(self, _remove, self._file)

    @property
    @abstractmethod
    def shown(self) -> str:
        """The address, without credentials."""

    @abstractmethod
    def read(self, query: Query, file: Path) -> Snapshot:
        """Write the rows into a file. Raises SourceError."""

    def close(self) -> None:
        """Remove the temporary file."""
        self._removal()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shown}>"

    def list(self) -> Iterator[Entry]:
        """The one file; the query runs at the first call."""
        return iter([self._read()[1]])

    def open(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of the Parquet file."""
        check_range(start, length)
        known({ROWS_FILE: self._read()[1]}, path)
        return self._pieces(start, length)

    def fingerprint(self) -> dict[str, Any]:
        """What was asked, when by the database's own clock, and digests of what came."""
        snapshot, entry = self._read()
        ties = snapshot.written.tied_rows
        return {
            "kind": self.kind,
            "address": self.shown,
            **self._query.document(),
            "columns": [[each.name, each.database_type] for each in snapshot.columns],
            "row_count": snapshot.written.row_count,
            "rows_digest": snapshot.written.rows_digest,
            "tied_rows": ties,
            "writer": f"pyarrow {require('pyarrow').__version__}",
            **snapshot.database,
            "reproducible": False,
            "why": _TIES.format(count=ties) if ties else _WHY,
            **summary([entry]),
        }

    def _read(self) -> tuple[Snapshot, Entry]:
        with self._lock:
            if self._snapshot is None or self._entry is None:
                self._snapshot = self.read(self._query, self._file)
                digest = file_digest(self._file)
                size = self._file.stat().st_size
                self._entry = Entry(ROWS_FILE, size, f"blake3:{digest}", digest)
            return self._snapshot, self._entry

    def _pieces(self, start: int, length: int | None) -> Iterator[bytes]:
        left = self._file.stat().st_size if length is None else length
        with self._file.open("rb") as file:
            file.seek(start)
            while left and (piece := file.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                yield piece


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.parent.rmdir()


def _order(text: str) -> Order:
    name = text.strip()
    column, _, direction = name.rpartition(" ")
    if column and direction.lower() in ("asc", "desc"):
        return Order(column.strip(), direction.lower() == "desc")
    return Order(name, descending=False)


def _digest(parameters: Parameters | None) -> str | None:
    if parameters is None:
        return None
    values = parameters if isinstance(parameters, Mapping) else list(parameters)
    text = json.dumps(values, default=_typed, sort_keys=True, ensure_ascii=False)
    return str(require("blake3").blake3(text.encode()).hexdigest())


def _typed(value: object) -> str:
    return f"{type(value).__name__}:{value!r}"
