"""Lists of those rows only that have one of some values."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Identifier

from policies.access import Listing
from policies.formula import TRUE, Formula
from policies.schema import Type
from policies.sql import SqlWriter


@dataclass(frozen=True, slots=True)
class Among:
    """Rows with one of these values in a column or, in one that holds `many`, any of them.

    Being listed tells something of the field `of`: rows that mask it are left out. `name` stands
    for the values in cursors.
    """

    name: str
    column: str
    values: Sequence[str]
    many: bool
    of: str

    def shown(self, listing: Listing) -> Formula:
        """Where the field is not masked."""
        return listing.masks.get(self.of, TRUE)

    def condition(self, writer: SqlWriter) -> Composable:
        """Which rows of a table `t` these are."""
        condition = SQL("t.{} && {}" if self.many else "t.{} = ANY({})")
        return condition.format(Identifier(self.column), writer.bind(list(self.values), Type.SET))
