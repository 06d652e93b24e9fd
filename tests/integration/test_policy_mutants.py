"""Faults planted into the compiler: the table of atoms has to find each of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import pytest
from psycopg.sql import SQL, Composable

from infra.database import Connection, connect
from policies import compiled, formula, reduce, sql
from policies.condition import COMPLEMENT, NULL_TESTS, ORDERED, Atom, Operand, Value
from policies.formula import FALSE, Formula, Leaf
from policies.reduce import Known
from policies.schema import Attribute, Column, Type
from policies.sql import SqlWriter
from tests.integration.atom_table import AtomTable, Family, other_order
from tests.integration.conftest import Servers
from tests.policy_cases import BIGINT, DOUBLE, ONE, TEXT, TEXTS, WHOLE, json_kind

Patch = pytest.MonkeyPatch
A, AB = frozenset({"a"}), frozenset({"a", "b"})
TEXT_PAIR = Family(TEXT.fewer(None, "a", "ab"), TEXT.fewer(None, "a", "%", "b"), ("prefix", "=="))
WHOLE_PAIR = Family(BIGINT.fewer(None, 1, 2), BIGINT.fewer(None, 1, 2), ("<", ">="))
MEMBER = Family(TEXT.fewer(None, "a"), TEXTS.fewer(None, frozenset(), A, AB), ("in",))
OVERLAP = Family(
    TEXTS.fewer(None, frozenset(), A), TEXTS.fewer(None, frozenset(), AB), ("overlap",)
)
FLOAT_PAIR = Family(DOUBLE.fewer(float("nan"), 1.0), DOUBLE.fewer(0.0, 1.0), (">", "!="))
TEXT_ORDER = Family(TEXT.fewer("a", "B"), TEXT.fewer("a", "B"), ORDERED)


@dataclass(frozen=True)
class Mutant:
    """A fault, and comparisons that tell it from the truth."""

    name: str
    family: Family
    plant: Callable[[Patch], None]


def complement_of(operator: str, wrong: str) -> Callable[[Patch], None]:
    return lambda patch: patch.setitem(COMPLEMENT, operator, wrong)


def blind_to_maybe(patch: Patch) -> None:
    def leaf(atom: Atom, *, maybe: bool) -> Formula:
        return Leaf(atom, False)

    patch.setattr(formula, "leaf", leaf)
    patch.setattr(reduce, "leaf", leaf)


def prefix_with_like(patch: Patch) -> None:
    test = SqlWriter._test

    def mutated(self: SqlWriter, operator: str, atom: Atom, left: Composable) -> Composable:
        if operator == "prefix" and atom.right is not None:
            return SQL("{} LIKE {} || '%%'").format(left, self._operand(atom.right))
        return test(self, operator, atom, left)

    patch.setattr(SqlWriter, "_test", mutated)


def membership_without_case(patch: Patch) -> None:
    def mutated(self: SqlWriter, element: Operand, whole: Operand, shown: Composable) -> Composable:
        if isinstance(whole, Value):
            return SQL("{} = ANY({})").format(shown, self._operand(whole))
        return SQL("{} @> ARRAY[{}]").format(self._operand(whole), shown)

    patch.setattr(SqlWriter, "_membership", mutated)


def order_of_the_column(patch: Patch) -> None:
    patch.setattr(sql, "ORDERED", ())


def nothing_is_empty(patch: Patch) -> None:
    patch.setattr(reduce, "_is_empty", lambda operand: False)


def missing_is_false(patch: Patch) -> None:
    leaf = reduce._leaf

    def mutated(one: Leaf, known: Known) -> Formula:
        sides = [reduce._operand(o, known) for o in (one.atom.left, one.atom.right) if o]
        gone = any(isinstance(side, reduce._Missing) for side in sides)
        return FALSE if gone and one.atom.operator not in NULL_TESTS else leaf(one, known)

    patch.setattr(reduce, "_leaf", mutated)


def not_a_number_is_one(patch: Patch) -> None:
    attribute = SqlWriter.attribute

    def mutated(self: SqlWriter, one: Attribute) -> Composable:
        is_float = isinstance(one.source, Column) and one.type is Type.FLOAT
        return attribute(self, Attribute(Type.STR, one.source) if is_float else one)

    patch.setattr(SqlWriter, "attribute", mutated)


def in_json(type_: Type, written: str) -> Callable[[Patch], None]:
    return lambda patch: patch.setitem(sql._IN_JSON, type_, SQL(written))


def python_form(operator: str, written: str) -> Callable[[Patch], None]:
    return lambda patch: patch.setitem(compiled._FORMS, operator, written)


def unknown_is_unknown(patch: Patch) -> None:
    def leaf(self: SqlWriter, atom: Atom, *, maybe: bool) -> Composable:
        return SQL("({})").format(self._atom(atom))

    patch.setattr(SqlWriter, "_leaf", leaf)


ANY_ARRAY = (
    "CASE WHEN jsonb_typeof({0}) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text({0})) END"
)
HALVES = "CASE WHEN jsonb_typeof({0}) = 'number' THEN trunc(({0})::numeric) END"
MUTANTS = (
    Mutant("not less is greater", WHOLE_PAIR, complement_of("<", ">")),
    Mutant(
        "None is its own complement", Family(TEXT, ONE, NULL_TESTS), complement_of(*["is None"] * 2)
    ),
    Mutant("a leaf ignores maybe", WHOLE_PAIR, blind_to_maybe),
    Mutant("SQL ignores maybe", WHOLE_PAIR, unknown_is_unknown),
    Mutant("a prefix is a pattern", TEXT_PAIR, prefix_with_like),
    Mutant("an unknown member is no member", MEMBER, membership_without_case),
    Mutant("an empty set is like others", MEMBER, nothing_is_empty),
    Mutant("a missing attribute of the subject is false", OVERLAP, missing_is_false),
    Mutant("NaN is a number", FLOAT_PAIR, not_a_number_is_one),
    Mutant(
        "any value in JSON is text",
        Family(json_kind(Type.STR), TEXT.fewer("1", "a"), ("==",)),
        in_json(Type.STR, "{0} #>> '{{}}'"),
    ),
    Mutant(
        "halves in JSON are whole numbers",
        Family(json_kind(Type.INT), BIGINT.fewer(1), ("==",)),
        in_json(Type.INT, HALVES),
    ),
    Mutant(
        "any array in JSON is a set of text",
        Family(TEXT.fewer("1"), json_kind(Type.SET), ("in",)),
        in_json(Type.SET, ANY_ARRAY),
    ),
    Mutant("Python takes < for <=", WHOLE_PAIR, python_form("<", "{0} <= {1}")),
    Mutant(
        "Python compares whole numbers with floats exactly",
        Family(WHOLE.fewer(2**53 + 1), DOUBLE.fewer(2.0**53), ("==",)),
        lambda patch: patch.setattr(compiled, "real", lambda number: number),
    ),
    Mutant("Python takes overlap for inclusion", OVERLAP, python_form("overlap", "{0} <= {1}")),
)


@pytest.fixture
def connection(servers: Servers) -> Iterator[Connection]:
    with connect(servers.postgres, "pg_temp") as connection:
        yield connection


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> Iterator[None]:
    compiled.compiled.cache_clear()
    yield
    compiled.compiled.cache_clear()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_is_found(
    connection: Connection, monkeypatch: Patch, mutant: Mutant
) -> None:
    assert list(AtomTable(connection, mutant.family).differences()) == []
    compiled.compiled.cache_clear()
    with monkeypatch.context() as patch:
        mutant.plant(patch)
        assert list(islice(AtomTable(connection, mutant.family).differences(), 1))


def test_the_order_of_a_column_is_not_that_of_conditions(
    connection: Connection, monkeypatch: Patch
) -> None:
    collation = other_order(connection)
    if collation == "C":
        pytest.skip("this server orders by code points only")
    assert list(AtomTable(connection, TEXT_ORDER, collation).differences()) == []
    order_of_the_column(monkeypatch)
    assert list(islice(AtomTable(connection, TEXT_ORDER, collation).differences(), 1))
