"""A query of PostgreSQL: one read-only snapshot, streamed by a cursor of the server."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from hansard.sources.errors import (
    AddressRefused,
    QueryRefused,
    SourceDenied,
    SourceError,
    SourceUnavailable,
)
from hansard.sources.libraries import require
from hansard.sources.network import Guard, Resolver, system_resolver
from hansard.sources.parquet import BATCH_ROWS, Column, write_rows
from hansard.sources.postgresql_types import column_of, is_text, keep_texts
from hansard.sources.query import Parameters, Query, QuerySource, Snapshot, parse_query

_PORT = 5432
_CONNECT_S = 10
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_DENIED = re.compile(r"authentication failed|no password supplied|no pg_hba\.conf entry")
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
_NOW = """
SELECT pg_current_snapshot()::text,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
       current_setting('server_version'),
       transaction_timestamp()
"""


class PostgresqlSource(QuerySource):
    """The rows of one SELECT. Placeholders are `%s` or `%(name)s`; `timeout_s` is the server's.

    `allow_private` permits a server inside the network, which most are.
    """

    kind = "postgresql"

    def __init__(
        self,
        address: str,
        *,
        query: str | None = None,
        parameters: Parameters | None = None,
        order_by: str | Sequence[str] | None = None,
        credentials: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        allow_private: bool = False,
        resolver: Resolver = system_resolver,
    ) -> None:
        parts = _parsed(address)
        self._server = _server(parts, credentials or {})
        self._guard = Guard(allow_private=allow_private, resolver=resolver)
        self._timeout_s = timeout_s
        super().__init__(parse_query(query, parameters, order_by))

    @property
    def shown(self) -> str:
        """The address, without user and password."""
        host = self._server["host"]
        name = f"[{host}]" if ":" in host else host
        return f"postgresql://{name}:{self._server['port']}/{self._server['dbname'] or ''}"

    def read(self, query: Query, file: Path) -> Snapshot:
        """Write the rows. Raises SourceDenied, SourceUnavailable, QueryRefused."""
        psycopg = require("psycopg")
        try:
            with self._connected(psycopg) as connection:
                return self._snapshot_of(connection, query, file)
        except psycopg.Error as error:
            raise self._failure(psycopg, error, query) from None
        except (TypeError, UnicodeError):
            raise QueryRefused("a parameter is not one that PostgreSQL can hold") from None

    def _connected(self, psycopg: Any) -> Any:
        host, port = self._server["host"], self._server["port"]
        addresses = self._guard.addresses(host, port)
        # The name stays for TLS; the checked addresses are where the connection goes.
        where = {"host": ",".join([host] * len(addresses)), "hostaddr": ",".join(addresses)}
        try:
            connection = psycopg.connect(
                **{name: value for name, value in {**self._server, **where}.items() if value},
                connect_timeout=_CONNECT_S,
                application_name="hansard",
            )
        except psycopg.OperationalError as error:
            if _DENIED.search(str(error)):
                raise SourceDenied(f"{self.shown}: the credentials are not accepted") from None
            raise SourceUnavailable(f"{self.shown}: there is no connection to be had") from None
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection

    def _snapshot_of(self, connection: Any, query: Query, file: Path) -> Snapshot:
        settings = dict(_SETTINGS)
        if self._timeout_s is not None:
            settings["statement_timeout"] = str(max(1, round(self._timeout_s * 1000)))
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        snapshot, position, version, began = connection.execute(_NOW).fetchone()
        columns, types = _described(connection, query)
        keys = query.keys([column.name for column in columns])
        keep_texts(connection, types)
        written = write_rows(file, columns, keys, _batches(connection, query, keys, types))
        facts = {"snapshot": snapshot, "wal_lsn": position, "server_version": version}
        return Snapshot(columns, written, {**facts, "read_at": began.isoformat()})

    def _failure(self, psycopg: Any, error: Any, query: Query) -> SourceError:
        if isinstance(error, psycopg.errors.QueryCanceled):
            return SourceUnavailable(f"{self.shown}: the query took longer than allowed")
        if isinstance(error, psycopg.OperationalError) and not error.sqlstate:
            return SourceUnavailable(f"{self.shown}: the connection was cut")
        text = query.hidden(error.diag.message_primary or str(error))
        return QueryRefused(f"{self.shown}: {text}")


def _described(connection: Any, query: Query) -> tuple[list[Column], list[int]]:
    """Columns and type ids of the result. Also shows that the text is one SELECT and no more."""
    with connection.cursor() as cursor:
        # In binary, so that the server takes one statement only; no row is asked for.
        cursor.execute(
            f"SELECT * FROM (\n{query.text}\n) AS hansard_rows LIMIT 0",
            query.parameters,
            binary=True,
        )
        return [column_of(each) for each in cursor.description], [
            each.type_code for each in cursor.description
        ]


def _batches(
    connection: Any, query: Query, keys: Sequence[int], types: Sequence[int]
) -> Iterator[list[tuple[Any, ...]]]:
    sql = require("psycopg.sql")
    order = sql.SQL(", ").join(
        sql.SQL("{} {}{} NULLS LAST").format(
            sql.Identifier(each.column),
            # By bytes: the rules of languages differ between systems, and change.
            sql.SQL('COLLATE "C" ' if is_text(types[key]) else ""),
            sql.SQL("DESC" if each.descending else "ASC"),
        )
        for each, key in zip(query.order_by, keys, strict=True)
    )
    ordered = f"SELECT * FROM (\n{query.text}\n) AS hansard_rows ORDER BY "
    # A name with a percent sign would be taken for a placeholder.
    names = order.as_string(connection)
    text = ordered + (names if query.parameters is None else names.replace("%", "%%"))
    with connection.cursor(name="hansard_rows") as cursor:
        cursor.execute(text, query.parameters)
        while rows := cursor.fetchmany(BATCH_ROWS):
            yield rows


def _parsed(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise AddressRefused("the address is no URL") from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname or port == 0:
        raise AddressRefused("a PostgreSQL address is postgresql://host:port/database")
    if parts.password is not None:
        raise AddressRefused(
            "the address holds a password: addresses are kept, so give it by credentials= or in"
            " PGPASSWORD"
        )
    return parts


def _server(parts: SplitResult, credentials: Mapping[str, str]) -> dict[str, Any]:
    if not credentials.keys() <= {"user", "password"}:
        raise AddressRefused("credentials of PostgreSQL are user and password")
    settings = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not settings.keys() <= {"sslmode"} or settings.get("sslmode", "prefer") not in _MODES:
        raise AddressRefused("a PostgreSQL address takes no setting but sslmode")
    found: dict[str, Any] = {
        "host": parts.hostname,
        "port": parts.port or _PORT,
        "dbname": unquote(parts.path.removeprefix("/")) or None,
        "user": unquote(parts.username) if parts.username else None,
        **settings,
        **credentials,
    }
    if any("\0" in str(value) for value in found.values()) or "=" in (found["dbname"] or ""):
        raise AddressRefused("the address or the credentials hold characters that make no sense")
    return found
