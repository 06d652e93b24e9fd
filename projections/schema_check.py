"""Checks at start-up that the tables are what the policies' schemas say they are.

A column that may be missing where a schema says it cannot, or of another type, would make SQL
and the single decision differ; text must compare by code points wherever it is compared for order.
"""

from threading import Lock

from infra.database import Connection
from policies.kinds import SCHEMAS
from policies.schema import Attribute, Column, JsonKeys, Metric, Schema, Type, field_of
from policies.subject import SUBJECT

_TYPES = {
    Type.STR: {"text"},
    Type.INT: {"integer", "bigint"},
    Type.BOOL: {"boolean"},
    Type.TIME: {"timestamp with time zone"},
    Type.SET: {"ARRAY"},
    Type.FLOAT: {"double precision"},
}
_COLUMNS = (
    "SELECT c.table_name, c.column_name, c.data_type, c.is_nullable = 'YES', "
    "coalesce(l.collisdeterministic, true) "
    "FROM information_schema.columns c "
    "LEFT JOIN pg_collation l ON l.collname = c.collation_name "
    "WHERE c.table_schema = current_schema()"
)

Found = dict[tuple[str, str], tuple[str, bool, bool]]
"""Table and column: type, whether it may be null, whether equal text is equal bytes."""


class SchemaMismatch(Exception):
    """A table is not what a schema says: nothing is answered from it."""


class Catalogue:
    """Checks the first connection of a process whose tables are there."""

    def __init__(self) -> None:
        self._checked = False
        self._lock = Lock()

    def check(self, connection: Connection) -> None:
        """Raise SchemaMismatch, naming every column that differs."""
        with self._lock:
            if self._checked:
                return
            rows = connection.execute(_COLUMNS).fetchall()
            found: Found = {(table, name): (*rest,) for table, name, *rest in rows}
            if not found:  # not migrated yet: there is nothing to answer from
                return
            wrong = [
                flaw for schema in (*SCHEMAS.values(), SUBJECT) for flaw in flaws(schema, found)
            ]
            if wrong:
                raise SchemaMismatch("; ".join(wrong))
            self._checked = True


def flaws(schema: Schema, found: Found) -> list[str]:
    """What of a schema the tables do not bear out."""
    if schema.table is None:
        return []
    table = schema.table
    attributes = [*schema.attributes.values(), *schema.filters.values()]
    checked = [_flaw(table, attribute, found) for attribute in attributes]
    maps = [JsonKeys(column) for column in schema.maps.values() if column]
    checked += [_flaw(table, Attribute(Type.SET, source), found) for source in maps]
    return [flaw for flaw in checked if flaw]


def _flaw(table: str, attribute: Attribute, found: Found) -> str | None:
    if isinstance(attribute.source, Metric):
        return None
    plain = isinstance(attribute.source, Column)
    wanted, name = _TYPES[attribute.type] if plain else {"jsonb"}, field_of(attribute.source)
    if (table, name) not in found:
        return f"{table}.{name} is not there"
    type_, nullable, deterministic = found[table, name]
    if type_ not in wanted:
        return f"{table}.{name} is {type_}"
    if nullable and not attribute.nullable and plain:
        return f"{table}.{name} may be null"
    return None if deterministic else f"{table}.{name} has a non-deterministic collation"
