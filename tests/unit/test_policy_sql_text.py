"""The SQL of policies: identifiers of the schema and fixed words, never a value."""

import re

import pytest

from policies.condition import Atom, Ref, Value
from policies.filtering import filter_formula
from policies.formula import Formula, Leaf, is_true
from policies.kinds import RUN
from policies.language import parse_policy
from policies.reduce import Known, reduced
from policies.schema import Attribute, Column, Facts, JsonPath, Schema, Type, column
from policies.sql import SqlWriter
from policies.subject import SUBJECT
from tests.policy_trees import NOW

MARK = "planted'); DROP TABLE run; --"
SUB: Facts = {
    "id": f"id {MARK}",
    "active": True,
    "admin": False,
    "service": False,
    **{name: frozenset({f"{name} {MARK}"}) for name in SUBJECT.attributes if "_of" in name},
    "groups": frozenset({f"a {MARK}", f"b {MARK}"}),
}
CONDITIONS = [
    "r.obj.owner == r.sub.id",
    f"r.obj.owner != {MARK!r}",
    f"prefix(r.obj.owner, {MARK!r})",
    f"not prefix(r.obj.owner, {MARK!r})",
    f"r.obj.owner in [{MARK!r}, 'a']",
    "r.obj.project in r.sub.manager_of",
    "r.sub.id in r.obj.users",
    f"{MARK!r} not in r.obj.users",
    "overlap(r.sub.groups, r.obj.groups)",
    f"r.obj.owner < {MARK!r} <= r.obj.name",
    "r.obj.embargo_until is not None and r.obj.embargo_until > r.env.now - days(4711)",
]
FILTERS = [
    f"metrics[{MARK!r}].max > 4711",
    f"metrics[{MARK!r}] is None",
    f"4711.5 < metrics[{MARK!r}]",
    f"params[{MARK!r}] == {MARK!r}",
    f"params[{MARK!r}][{MARK!r}] == 4711",
    f"params[{MARK!r}] is None",
    f"tags[{MARK!r}] == {MARK!r}",
    f"{MARK!r} in tags",
    f"overlap(tags, [{MARK!r}])",
    f"{MARK!r} in params[{MARK!r}]",
    "seed == 4711 or started_at < '4711-01-01'",
]
COLUMNS = {a.source.name for a in RUN.attributes.values() if isinstance(a.source, Column)}


def text_of(writer: SqlWriter, formula: Formula) -> str:
    return writer.where(formula).as_string(None)


def identifiers(text: str) -> set[str]:
    without_literals = re.sub(r"'[^']*'", "", text)
    return set(re.findall(r'"([^"]*)"', without_literals)) - {"C"}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_no_value_of_a_policy_or_a_subject_is_in_the_text(condition: str) -> None:
    known: Known = {"sub": SUB, "env": {"now": NOW}}
    writer = SqlWriter()
    text = text_of(writer, reduced(is_true(parse_policy(condition, RUN, SUBJECT)), known))
    assert not re.search(r"planted|DROP|;|--|4711|2030", text)
    assert writer.values
    assert all(f"%({name})s" in text for name in writer.values)
    assert identifiers(text) <= {"t", *COLUMNS}


@pytest.mark.parametrize("text", FILTERS)
def test_no_value_of_a_filter_is_in_the_text(text: str) -> None:
    writer = SqlWriter()
    written = text_of(writer, filter_formula(text, RUN, NOW))
    assert not re.search(r"planted|DROP|;|--|4711", written)
    names = {"t", "seed", "started_at", "parameters", "tags", "results", "last", "low", "high"}
    assert identifiers(written) <= names
    assert any("4711" in str(v) or MARK in str(v) for v in writer.values.values())


def test_a_column_with_a_hostile_name_is_an_identifier() -> None:
    schema = Schema("thing", "thing", {"x": column(Type.STR, 'a" OR TRUE --')})
    formula = is_true(parse_policy("r.obj.x == 'b'", schema, SUBJECT))
    assert text_of(SqlWriter(), formula) == '("t"."a"" OR TRUE --" = %(p0)s::text)'


def test_the_order_of_text_is_that_of_code_points_on_either_side() -> None:
    for condition in ("r.obj.owner < 'b'", "'b' >= r.obj.owner", "r.obj.owner > r.obj.name"):
        text = text_of(SqlWriter(), is_true(parse_policy(condition, RUN, SUBJECT)))
        assert text.count('COLLATE "C"') == 1


def test_the_path_into_json_is_a_value() -> None:
    source = JsonPath("doc", ("a", "b'"))
    writer = SqlWriter()
    ref = Ref("obj", "x", Attribute(Type.STR, source, nullable=True))
    text = text_of(writer, Leaf(Atom("==", ref, Value(Type.STR, "v"))))
    assert writer.values == {"p0": ["a", "b'"], "p1": "v"}
    assert "b'" not in text
