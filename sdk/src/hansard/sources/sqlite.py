"""A query of an SQLite file: opened for reading only, in one snapshot.

What is written to it meanwhile is noticed, and then the rows are refused.
"""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from hansard.sources.errors import (
    AddressRefused,
    QueryRefused,
    SourceChanged,
    SourceError,
    SourceMissing,
    SourceUnavailable,
)
from hansard.sources.libraries import require
from hansard.sources.parquet import BATCH_ROWS, Column, write_rows
from hansard.sources.query import Parameters, Query, QuerySource, Snapshot, parse_query

_ALLOWED = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_BUSY_S = 10.0
_DIGEST = """
import sys, blake3
digest = blake3.blake3()
with open(sys.argv[1], "rb", buffering=0) as file:
    while piece := file.read(1 << 20):
        digest.update(piece)
print(digest.hexdigest())
"""
_STEPS_PER_CHECK = 10_000


class SqliteSource(QuerySource):
    """The rows of one SELECT. Placeholders are `?` or `:name`; `timeout_s` bounds the whole."""

    kind = "sqlite"

    def __init__(
        self,
        address: str,
        *,
        query: str | None = None,
        parameters: Parameters | None = None,
        order_by: str | Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._path = _parsed(address)
        self._timeout_s = timeout_s
        super().__init__(parse_query(query, parameters, order_by))

    @property
    def shown(self) -> str:
        """The address, without the query."""
        return f"sqlite:///{self._path}"

    def read(self, query: Query, file: Path) -> Snapshot:
        """Write the rows. Raises SourceChanged when somebody writes to the database meanwhile."""
        _check_file(self._path)
        try:
            with closing(_connected(self._path)) as connection:
                return self._snapshot_of(connection, query, file)
        except sqlite3.Error as error:
            raise _failure(error, query, self.shown) from None
        except (OverflowError, UnicodeEncodeError):
            raise QueryRefused("a parameter is not one that SQLite can hold") from None

    def _snapshot_of(self, connection: sqlite3.Connection, query: Query, file: Path) -> Snapshot:
        version = _pragma(connection, "data_version")
        journal = _pragma(connection, "journal_mode")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the read lock
        digest = _file_digest(self._path)
        _confine(connection, self._timeout_s)
        columns = _columns(connection, query)
        keys = query.keys([column.name for column in columns])
        written = write_rows(file, columns, keys, _batches(connection, query))
        _release(connection)
        if _pragma(connection, "data_version") != version:
            raise SourceChanged(f"{self.shown}: it was written to while it was read: read it again")
        facts = {"file_digest": digest, "data_version": version, "journal_mode": journal}
        return Snapshot(columns, written, {**facts, "sqlite_version": sqlite3.sqlite_version})


def _parsed(address: str) -> Path:
    text = address.removeprefix("sqlite:///")
    if text == address or not text or "\0" in text or "?" in text:
        raise AddressRefused(
            "an SQLite address is sqlite:///relative/file or sqlite:////absolute/file"
        )
    return Path(text)


def _check_file(path: Path) -> None:
    if path.is_symlink():
        raise SourceMissing(f"{path} is a link: give the file it leads to")
    if not path.is_file():
        raise SourceMissing(f"{path} is no file")


def _file_digest(path: Path) -> str:
    """Read by another process: a process that closes a file loses all its own locks on it."""
    command = [sys.executable, "-I", "-c", _DIGEST, str(path.absolute())]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SourceUnavailable(f"{path} cannot be digested")
    return found.stdout.strip()


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        timeout=_BUSY_S,
        check_same_thread=False,
    )
    # The file may be anybody's: what it defines itself may call no function with effects.
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _confine(connection: sqlite3.Connection, timeout_s: float | None) -> None:
    """Nothing but reading this file, and for so long."""

    def allowed(action: int, _: str | None, name: str | None, *_more: str | None) -> int:
        loads = action == sqlite3.SQLITE_FUNCTION and name == "load_extension"
        return sqlite3.SQLITE_OK if action in _ALLOWED and not loads else sqlite3.SQLITE_DENY

    connection.set_authorizer(allowed)
    if timeout_s is not None:
        deadline = time.monotonic() + timeout_s
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_PER_CHECK)


def _release(connection: sqlite3.Connection) -> None:
    connection.set_progress_handler(None, 0)
    connection.set_authorizer(None)
    connection.execute("COMMIT")


def _columns(connection: sqlite3.Connection, query: Query) -> list[Column]:
    """SQLite types its values, not its columns: which types there are takes a pass of its own."""
    asked = f"SELECT * FROM (\n{query.text}\n) AS hansard_rows"
    names = [each[0] for each in _executed(connection, f"{asked} LIMIT 0", query).description]
    query.keys(names)
    types = ", ".join(f"group_concat(DISTINCT typeof({_quoted(name)}))" for name in names)
    found = _executed(connection, f"SELECT {types} FROM (\n{asked}\n)", query).fetchone()
    return [_column(name, kinds or "null") for name, kinds in zip(names, found, strict=True)]


def _column(name: str, kinds: str) -> Column:
    pyarrow = require("pyarrow")
    arrow = {
        "": pyarrow.null(),
        "integer": pyarrow.int64(),
        "real": pyarrow.float64(),
        "integer,real": pyarrow.float64(),
        "text": pyarrow.string(),
        "blob": pyarrow.binary(),
    }
    found = ",".join(sorted(set(kinds.split(",")) - {"null"}))
    if found not in arrow:
        raise QueryRefused(
            f"column `{name}` holds values of several types ({found.replace(',', ', ')}):"
            " cast them in the query, as in CAST(x AS TEXT)"
        )
    return Column(name, arrow[found], found or "null")


def _batches(connection: sqlite3.Connection, query: Query) -> Iterator[list[tuple[Any, ...]]]:
    order = ", ".join(
        f"{_quoted(each.column)} COLLATE BINARY {'DESC' if each.descending else 'ASC'} NULLS LAST"
        for each in query.order_by
    )
    text = f"SELECT * FROM (\n{query.text}\n) AS hansard_rows ORDER BY {order}"
    cursor = _executed(connection, text, query)
    while rows := cursor.fetchmany(BATCH_ROWS):
        yield rows


def _executed(connection: sqlite3.Connection, text: str, query: Query) -> sqlite3.Cursor:
    return connection.execute(text, () if query.parameters is None else query.parameters)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _failure(error: sqlite3.Error, query: Query, shown: str) -> SourceError:
    text = query.hidden(str(error))
    if error.args == ("interrupted",):
        return SourceUnavailable(f"{shown}: the query took longer than allowed")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits say more than is needed
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SourceUnavailable(f"{shown}: it is locked by a writer")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT):
        return SourceMissing(f"{shown}: {text}")
    return QueryRefused(f"{shown}: {text}")
