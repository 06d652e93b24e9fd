"""Filters of lists: metrics, parameters, tags, times and numbers, each with its type."""

from datetime import UTC, datetime

import pytest

from policies.condition import Atom, Condition, Ref, Shifted, Value
from policies.errors import ExpressionError
from policies.filtering import filter_formula
from policies.formula import FALSE, TRUE, Leaf
from policies.kinds import RUN, SCHEMAS
from policies.language import parse_filter, parse_name
from policies.schema import JsonAny, JsonKeys, JsonPath, Metric, Source, Type

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def atom(condition: Condition) -> Atom:
    assert isinstance(condition, Atom)
    return condition


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as refused:
        parse_filter(text, RUN)
    assert refused.value.code == "invalid-expression"
    assert refused.value.detail.encode(), "what is shown can be sent"
    return refused.value


@pytest.mark.parametrize(
    ("text", "type_", "source"),
    [
        ("metrics.loss < 1", Type.FLOAT, Metric("loss", "last")),
        ("metrics.loss.last < 1", Type.FLOAT, Metric("loss", "last")),
        ("metrics.loss.min < 1", Type.FLOAT, Metric("loss", "low")),
        ("metrics.loss.max < 1", Type.FLOAT, Metric("loss", "high")),
        ("metrics.max < 1", Type.FLOAT, Metric("max", "last")),
        ("metrics.max.max < 1", Type.FLOAT, Metric("max", "high")),
        ("metrics.val.loss < 1", Type.FLOAT, Metric("val.loss", "last")),
        ("metrics['val/loss'] < 1", Type.FLOAT, Metric("val/loss", "last")),
        ("metrics['val/loss'].min < 1", Type.FLOAT, Metric("val/loss", "low")),
        ("metrics['a.b']['max'] < 1", Type.FLOAT, Metric("a.b", "high")),
        ("metrics.loss is None", Type.FLOAT, Metric("loss", "last")),
        ("params.lr == 1", Type.FLOAT, JsonPath("parameters", ("lr",))),
        ("params.lr == 1.5", Type.FLOAT, JsonPath("parameters", ("lr",))),
        ("params.lr == 'a'", Type.STR, JsonPath("parameters", ("lr",))),
        ("params.lr == True", Type.BOOL, JsonPath("parameters", ("lr",))),
        ("params.lr", Type.BOOL, JsonPath("parameters", ("lr",))),
        ("params.a.b['c d'] == 1", Type.FLOAT, JsonPath("parameters", ("a", "b", "c d"))),
        ("params.a in ['b']", Type.STR, JsonPath("parameters", ("a",))),
        ("prefix(params.a, 'b')", Type.STR, JsonPath("parameters", ("a",))),
        ("overlap(params.a, ['b'])", Type.SET, JsonPath("parameters", ("a",))),
        ("params.a is not None", Type.STR, JsonAny("parameters", ("a",))),
        ("results.accuracy >= 0.9", Type.FLOAT, JsonPath("results", ("accuracy",))),
        ("tags.team == 'vision'", Type.STR, JsonPath("tags", ("team",))),
        ("tags['the team'] is None", Type.STR, JsonPath("tags", ("the team",))),
        ("overlap(tags, ['a'])", Type.SET, JsonKeys("tags")),
    ],
)
def test_what_lies_in_maps_has_the_type_of_its_literal(
    text: str, type_: Type, source: Source
) -> None:
    left = atom(parse_filter(text, RUN)).left
    assert isinstance(left, Ref)
    assert (left.attribute.type, left.attribute.source) == (type_, source)
    assert left.nullable is not isinstance(source, JsonKeys)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("metrics.loss < 1", 1.0),
        ("metrics.loss < -1.5e-3", -0.0015),
        ("params.lr == 9007199254740993", 9007199254740992.0),
        ("seed > 1.5", 1.5),
        ("started_at < '2024-01-01'", datetime(2024, 1, 1, tzinfo=UTC)),
        ("started_at < '2024-01-01T10:00:00+02:00'", datetime(2024, 1, 1, 8, tzinfo=UTC)),
        ("owner == '2024-01-01'", "2024-01-01"),
        ("seed == 3", 3),
    ],
)
def test_literals_take_the_type_that_is_compared(text: str, value: object) -> None:
    compared = atom(parse_filter(text, RUN))
    assert isinstance(compared.right, Value)
    assert (compared.right.value, type(compared.right.value)) == (value, type(value))
    assert compared.left.type is compared.right.type


def test_a_literal_may_stand_on_the_left() -> None:
    compared = atom(parse_filter("'2024-01-01' <= started_at", RUN))
    assert compared.left == Value(Type.TIME, datetime(2024, 1, 1, tzinfo=UTC))
    keys = atom(parse_filter("'team' in tags", RUN))
    assert keys.right == parse_name("tags", RUN)


def test_now_is_known_when_a_filter_is_used() -> None:
    moved = atom(parse_filter("started_at > now - days(7)", RUN)).right
    assert isinstance(moved, Shifted)
    formula = filter_formula("started_at > now - days(7)", RUN, NOW)
    assert isinstance(formula, Leaf)
    assert formula.atom.right == Value(Type.TIME, datetime(2029, 12, 25, tzinfo=UTC))
    assert filter_formula("now < '2030-01-01T00:00:01'", RUN, NOW) == TRUE
    assert filter_formula("owner in []", RUN, NOW) == FALSE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metrics", "say which metric: metrics.<key>, metrics.<key>.min or metrics['<key>']"),
        (
            "metrics[''] < 1",
            "say which metric: metrics.<key>, metrics.<key>.min or metrics['<key>']",
        ),
        ("metrics[0] < 1", "this is no attribute"),
        ("metrics[owner] < 1", "this is no attribute"),
        ("metrics.loss < 'a'", "a float is compared with a str"),
        ("metrics.loss", "this is a float: compare it with something"),
        ("metrics.loss in ['a']", "a str is needed here, this is a float"),
        ("metrics.loss < 1e999", "this number is not finite"),
        ("metrics.loss == -1e999", "this number is not finite"),
        ("metrics.loss == float('nan')", "neither an attribute nor a literal"),
        ("metrics.loss == nan", "`nan` is unknown; there are archived, attempt, backend"),
        ("metrics.loss < 9223372036854775808", "this number does not fit 64 bits"),
        (r"metrics['\0'] < 1", "a key contains NUL or half a character"),
        (r"params['\ud800'] == 1", "a key contains NUL or half a character"),
        (r"nothing['\ud800'] == 1", "a key contains NUL or half a character"),
        ("params.a == params.b", "compare this with a literal, so that its type is known"),
        ("params.a < now", "compare this with a literal, so that its type is known"),
        ("params.a == ['b']", "sets are compared with overlap() and `in` only"),
        ("params.a < True", "truth values have no order"),
        ("tags == 'a'", "a set is compared with a str"),
        ("tags.team == 1", "a str is compared with a int"),
        ("seed == 'a'", "a int is compared with a str"),
        ("started_at < 'soon'", "not an ISO 8601 time"),
        (
            "started_at + days(1) < now",
            "only a time of the subject or the moment can be moved, such as r.env.now",
        ),
        ("ownr == 'a'", "`ownr` is unknown; did you mean `owner`?"),
        ("owner.name == 'a'", "`owner.name` is unknown; did you mean `owner`?"),
        ("r.obj.owner == 'a'", "`r.obj.owner` is unknown; did you mean `owner`?"),
        ("now.year == 1", "`now.year` is unknown; did you mean `owner`?"),
        ("r.sub.admin", "`r.sub.admin` is unknown; there are archived, attempt, backend"),
    ],
)
def test_what_a_filter_cannot_mean_is_refused(text: str, message: str) -> None:
    assert refusal(text).message.startswith(message)


def test_kinds_without_maps_have_none() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_filter("metrics.loss < 1", SCHEMAS["token"])
    assert "`metrics.loss` is unknown; there are " in refused.value.message
    assert "metrics.<key>" not in refused.value.message


@pytest.mark.parametrize("text", ["1", "owner == 'a'", "owner, name", "-created_at", "", "a b"])
def test_only_a_name_can_be_sorted_by(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_name(text, RUN)
