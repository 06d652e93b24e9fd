"""Every comparison of two values: by the interpreter, by Python, reduced, and by PostgreSQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from psycopg.errors import FeatureNotSupported
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from infra.database import Connection
from policies.compiled import compiled
from policies.condition import NULL_TESTS, Atom, Not, Ref, Root
from policies.formula import FALSE, TRUE, Formula, is_true, not_false
from policies.reduce import reduced
from policies.reference import evaluate
from policies.schema import Attribute, JsonAny, JsonKeys, JsonPath, Type, checked_value
from policies.sql import SqlWriter
from tests.policy_cases import Kind

_BATCH = 500
_ROOTS: Sequence[tuple[Root, Root]] = (
    *(("obj", "obj"), ("obj", "sub"), ("sub", "obj"), ("sub", "sub")),
)
"""Both sides in the row, one of them known, both known."""

Cell = tuple[int, int]
"""Numbers of the two values that are compared."""
Known = tuple[int | None, int | None]
"""Numbers of the values that are known beforehand."""


@dataclass(frozen=True, slots=True)
class Family:
    """Two kinds of values and the operators between them."""

    left: Kind
    right: Kind
    operators: tuple[str, ...]

    def atom(self, operator: str, roots: tuple[Root, Root], nullable: tuple[bool, bool]) -> Atom:
        """An operator between the attributes `l` and `r`, or on `l` alone."""
        sides = zip(roots, "lr", (self.left, self.right), nullable, strict=True)
        left, right = (
            Ref(root, name, Attribute(kind.type, kind.source(name), missing))
            for root, name, kind, missing in sides
        )
        return Atom(operator, left) if operator in NULL_TESTS else Atom(operator, left, right)


@dataclass(frozen=True, slots=True)
class Question:
    """One condition, and whether it has to be true or only not to be false."""

    atom: Atom
    negated: bool
    maybe: bool

    @property
    def formula(self) -> Formula:
        """What the compiler makes of it."""
        condition = Not(self.atom) if self.negated else self.atom
        return not_false(condition) if self.maybe else is_true(condition)


class AtomTable:
    """The values of a family in a table `atom`, with one row for each two of them."""

    def __init__(self, connection: Connection, family: Family, collation: str = "C") -> None:
        self.family = family
        self.compared_in_python = 0
        self.compared_in_sql = 0
        self._connection = connection
        self._left = self._stored("l", family.left, collation)
        self._right = self._stored("r", family.right, collation)
        self._truths: dict[tuple[str, bool, bool], dict[Cell, bool]] = {}
        connection.execute("DROP TABLE IF EXISTS atom")
        connection.execute(
            "CREATE TEMP TABLE atom AS SELECT side_l.n AS i, side_r.n AS j, side_l.v AS l, "
            "side_r.v AS r FROM side_l CROSS JOIN side_r"
        )

    def differences(self) -> Iterator[str]:
        """Each answer that is another than the interpreter's."""
        sides = product(self.family.left.nullable, self.family.right.nullable)
        for nullable, roots in product(sides, _ROOTS):
            lefts = [i for i, v in enumerate(self._left) if nullable[0] or v is not None]
            rights = [j for j, v in enumerate(self._right) if nullable[1] or v is not None]
            questions = self._questions(roots, nullable)
            for question in questions:
                yield from self._differing_in_python(question, list(product(lefts, rights)))
            rows = (lefts if roots[0] == "obj" else [0], rights if roots[1] == "obj" else [0])
            left_known: list[int | None] = [None] if roots[0] == "obj" else [*lefts]
            right_known: list[int | None] = [None] if roots[1] == "obj" else [*rights]
            asked = list(product(questions, product(left_known, right_known)))
            for first in range(0, len(asked), _BATCH):
                yield from self._differing_in_sql(asked[first : first + _BATCH], rows)

    def _questions(self, roots: tuple[Root, Root], nullable: tuple[bool, bool]) -> list[Question]:
        return [
            Question(self.family.atom(operator, roots, nullable), negated, maybe)
            for operator in self.family.operators
            for negated, maybe in product((False, True), repeat=2)
        ]

    def _differing_in_python(self, question: Question, cells: Sequence[Cell]) -> Iterator[str]:
        decide = compiled(question.formula)
        expected = self._expected(question)
        for cell in cells:
            values = self._values(cell)
            if decide(values, values, {}) is not expected[cell]:
                yield f"Python: {question} of {values}"
        self.compared_in_python += len(cells)

    def _differing_in_sql(
        self, asked: Sequence[tuple[Question, Known]], rows: tuple[Sequence[int], Sequence[int]]
    ) -> Iterator[str]:
        formulas = [reduced(question.formula, self._known(known)) for question, known in asked]
        for row, answers in self._answers(formulas, rows):
            for (question, known), answer in zip(asked, answers, strict=True):
                cell = _cell(row, known)
                expected = self._expected(question)[cell]
                # A maybe is never unknown: PostgreSQL could not tell it from false.
                if answer is not expected and (question.maybe or bool(answer) is not expected):
                    yield f"SQL: {question} of {self._values(cell)} is {answer}"

    def _answers(
        self, formulas: Sequence[Formula], rows: tuple[Sequence[int], Sequence[int]]
    ) -> Iterator[tuple[Cell, list[bool | None]]]:
        """What PostgreSQL says of the rows; what needs no row is not asked."""
        writer = SqlWriter()
        open_ = [formula for formula in formulas if formula not in (TRUE, FALSE)]
        if not open_:
            yield (rows[0][0], rows[1][0]), [formula == TRUE for formula in formulas]
            return
        query = SQL(
            "SELECT i, j, ARRAY[{}]::bool[] FROM atom t WHERE i = ANY(%(i)s) AND j = ANY(%(j)s)"
        ).format(SQL(", ").join(map(writer.where, open_)))
        values = {**writer.values, "i": list(rows[0]), "j": list(rows[1])}
        for i, j, said in self._connection.execute(query, values):
            answers = iter(said)
            self.compared_in_sql += len(said)
            yield (
                (i, j),
                [f == TRUE if f in (TRUE, FALSE) else next(answers) for f in formulas],
            )

    def _expected(self, question: Question) -> dict[Cell, bool]:
        """What the interpreter says, for all cells."""
        key = (question.atom.operator, question.negated, question.maybe)
        if key not in self._truths:
            atom = self.family.atom(question.atom.operator, ("obj", "obj"), (True, True))
            condition = Not(atom) if question.negated else atom
            cells = product(range(len(self._left)), range(len(self._right)))
            held = {cell: evaluate(condition, {"obj": self._values(cell)}) for cell in cells}
            self._truths[key] = {
                cell: answer is not False if question.maybe else answer is True
                for cell, answer in held.items()
            }
        return self._truths[key]

    def _known(self, known: Known) -> dict[Root, dict[str, Any]]:
        i, j = known
        left = None if i is None else self._left[i]
        return {"sub": {"l": left, "r": None if j is None else self._right[j]}}

    def _values(self, cell: Cell) -> dict[str, Any]:
        return {"l": self._left[cell[0]], "r": self._right[cell[1]]}

    def _stored(self, name: str, kind: Kind, collation: str) -> list[Any]:
        """Stores the values of one side; what conditions are to see of them."""
        table, is_json = Identifier(f"side_{name}"), kind.column_type == "jsonb"
        self._connection.execute(SQL("DROP TABLE IF EXISTS {}").format(table))
        collate = SQL(" COLLATE {}").format(Identifier(collation))
        self._connection.execute(
            SQL("CREATE TEMP TABLE {} (n int, v {}{})").format(
                table,
                SQL(kind.column_type),
                collate if kind.type is Type.STR and not is_json else SQL(""),
            )
        )
        rows = [(n, Jsonb(v) if is_json else v) for n, v in enumerate(map(_plain, kind.stored))]
        with self._connection.cursor() as cursor:
            cursor.executemany(SQL("INSERT INTO {} VALUES (%s, %s)").format(table), rows)
        if not is_json:
            return [_fact(kind, value) for value in kind.stored]
        found = self._connection.execute(SQL("SELECT v FROM {} ORDER BY n").format(table))
        return [_fact(kind, value) for (value,) in found]


def _cell(row: Cell, known: Known) -> Cell:
    """The values compared in a row."""
    i, j = known
    return row[0] if i is None else i, row[1] if j is None else j


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _fact(kind: Kind, value: Any) -> Any:
    """What the projection of a row would make of a stored value."""
    match kind.source("v"):
        case JsonKeys():
            return frozenset(value)
        case JsonAny(path=path):
            return _within(value, path)
        case JsonPath(path=path):
            return checked_value(kind.type, _within(value, path))
        case _ if isinstance(value, int) and kind.type is Type.FLOAT:
            return value
        case _:
            return checked_value(kind.type, value)


def _within(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def other_order(connection: Connection) -> str:
    """A collation that orders text otherwise than by code points; C if this server has none."""
    listed = connection.execute("SELECT DISTINCT collname FROM pg_collation WHERE collencoding < 7")
    for (name,) in listed.fetchall():
        order = SQL("SELECT 'a' COLLATE {0} < 'B' COLLATE {0}").format(Identifier(name))
        try:
            if connection.execute(order).fetchone() == (True,):
                return str(name)
        except FeatureNotSupported:
            continue
    return "C"
