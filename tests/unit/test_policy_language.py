"""What conditions and filters may say; everything else is refused, with a caret at the place."""

from datetime import UTC, datetime

import pytest

from policies.condition import And, Atom, Condition, Const, Not, Operand, Or, Ref, Shifted, Value
from policies.errors import ExpressionError
from policies.kinds import RUN
from policies.language import parse_policy
from policies.schema import MAX_INT, MIN_INT, Type
from policies.subject import SUBJECT


def policy(text: str) -> Condition:
    return parse_policy(text, RUN, SUBJECT)


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as refused:
        policy(text)
    assert refused.value.code == "invalid-expression"
    assert refused.value.detail.encode(), "what is shown can be sent"
    return refused.value


def operands(text: str) -> tuple[Operand, Operand | None]:
    condition = policy(text)
    assert isinstance(condition, Atom)
    return condition.left, condition.right


NO_CONDITION = "this is no condition"
NO_VALUE = "neither an attribute nor a literal"
NO_ATTRIBUTE = "this is no attribute"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r.obj.kill()", NO_CONDITION),
        ("(lambda: True)()", NO_CONDITION),
        ("lambda: True", NO_CONDITION),
        ("[x for x in 'ab']", NO_CONDITION),
        ("{1: True}", NO_CONDITION),
        ("f'{r.obj.owner}'", NO_CONDITION),
        ("True if True else False", NO_CONDITION),
        ("-True", NO_CONDITION),
        ("1", NO_CONDITION),
        ("'True'", NO_CONDITION),
        ("...", NO_CONDITION),
        ("(b := True)", NO_CONDITION),
        ("await r.sub.admin", NO_CONDITION),
        ("(yield)", NO_CONDITION),
        ("[*r.sub.groups]", NO_CONDITION),
        ("r.sub.admin & r.sub.active", NO_CONDITION),
        ("r.obj.owner == f'{r.sub.id}'", NO_VALUE),
        ("2**2**20 == 1", NO_VALUE),
        ("r.obj.owner == (x := 'a')", NO_VALUE),
        ("r.obj.owner == r.sub.id.upper()", NO_VALUE),
        ("r.obj.owner == 'a' + 'b'", NO_VALUE),
        ("r.obj.owner == 'a' * 1000000000", NO_VALUE),
        ("r.obj.owner == ('a' if True else 'b')", NO_VALUE),
        ("r.obj.owner == {'a': 'b'}", NO_VALUE),
        ("r.obj.owner in r.sub.groups[0]", NO_ATTRIBUTE),
        ("r.obj.owner[r.sub.id] == 'a'", NO_ATTRIBUTE),
        ("'a'.__class__ == 'a'", NO_ATTRIBUTE),
        ("__import__('os')", "`__import__` is no function here; there are overlap and prefix"),
        ("exec('1')", "`exec` is no function here; there are overlap and prefix"),
        ("prefix(r.obj.owner)", "`prefix` takes two arguments"),
        ("prefix(r.obj.owner, 'a', 'b')", "`prefix` takes two arguments"),
        ("prefix(*r.obj.groups)", "`prefix` takes two arguments"),
        ("prefix(r.obj.owner, b='a')", "`prefix` takes two arguments"),
        ("overlap(**r.obj.groups)", "`overlap` takes two arguments"),
        ("r.obj.__class__", "`r.obj.__class__` is unknown; did you mean `r.obj.users`?"),
        ("__builtins__", "`__builtins__` is none of r.sub.…, r.obj.… and r.env.…"),
        ("r.obj.owner.upper == 'A'", "`r.obj.owner.upper` is none of r.sub.…, r.obj.… and r.env.…"),
        ("import os", "not an expression: invalid syntax"),
        ("True; True", "not an expression: invalid syntax"),
        ("b = True", "not an expression: invalid syntax"),
    ],
)
def test_code_is_no_condition(text: str, message: str) -> None:
    assert refusal(text).message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("True or " * 125_000 + "True", "1000004 characters, at most 2000"),
        ("(" * 10_000 + "True" + ")" * 10_000, "20004 characters, at most 2000"),
        ("not " * 10_000 + "True", "40004 characters, at most 2000"),
        (f"r.obj.owner in {['a'] * 100_000}", "500015 characters, at most 2000"),
        ("(" * 900 + "True" + ")" * 900, "not an expression: too many nested parentheses"),
        ("not " * 400 + "True", "nested deeper than 20 levels"),
        ("-" * 1_900 + "1 == 1", "nested deeper than 20 levels"),
        ("[" * 150 + "]" * 150 + " == 1", "nested deeper than 20 levels"),
        ("True or " * 240 + "True", "more than 200 parts"),
        (f"r.obj.owner in {['a'] * 300}", "more than 200 parts"),
        (f"r.obj.owner == {'9' * 1_900}", "this number does not fit 64 bits"),
        (f"r.obj.owner == 0x{'f' * 1_900}", "this number does not fit 64 bits"),
        ("", "an empty condition: write True or False"),
        (" \n\t ", "an empty condition: write True or False"),
    ],
)
def test_what_is_too_large_is_refused(text: str, message: str) -> None:
    assert refusal(text).message == message


def test_a_long_chain_of_names_is_refused_however_long() -> None:
    assert "is none of" in refusal("r" + ".a" * 990).message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r.sub.admin == 1", "a bool is compared with a int"),
        ("r.sub.admin == 'True'", "a bool is compared with a str"),
        ("r.sub.admin < True", "truth values have no order"),
        ("r.obj.owner == r.sub.groups", "a str is compared with a set"),
        ("r.obj.groups == r.sub.groups", "sets are compared with overlap() and `in` only"),
        ("r.obj.owner in r.sub.id", "a set is needed here, this is a str"),
        ("r.obj.groups in r.sub.groups", "a str is needed here, this is a set"),
        ("'a' in 'abc'", "a set is needed here, this is a str"),
        ("overlap(r.obj.groups, 'a')", "a set is needed here, this is a str"),
        ("prefix(r.obj.owner, ['a'])", "a str is needed here, this is a set"),
        ("r.obj.owner in [1]", "a set holds literal text only"),
        ("r.obj.owner in [r.sub.id]", "a set holds literal text only"),
        ("r.obj.owner in [None]", "a set holds literal text only"),
        ("r.obj.owner in ['a', *r.sub.groups]", "a set holds literal text only"),
        ("r.obj.owner == None", "write `is None` or `is not None`"),
        ("r.obj.owner is r.sub.id", "`is` compares with None only"),
        ("r.obj.owner is 'a'", "`is` compares with None only"),
        ("'a' is None", "only an attribute can be None"),
        ("None is None", "only an attribute can be None"),
        ("r.obj.owner", "this is a str: compare it with something"),
        ("r.obj.owner == float('nan')", NO_VALUE),
        ("r.obj.owner == 1e999", "this number is no whole number: policies have no floats"),
        ("r.obj.owner == 1.0", "this number is no whole number: policies have no floats"),
        ("r.obj.owner == 1j", "a complex is no literal here"),
        ("r.obj.owner == b'a'", "a bytes is no literal here"),
        ("r.obj.owner == ...", "a ellipsis is no literal here"),
        ("1 == 9223372036854775808", "this number does not fit 64 bits"),
        ("1 == -9223372036854775809", "this number does not fit 64 bits"),
        ("1 == -True", NO_VALUE),
        (r"r.obj.owner == '\0'", "text contains NUL or half a character"),
        (r"r.obj.owner == '\ud800'", "text contains NUL or half a character"),
        (r"r.obj.owner in ['\udfff']", "text contains NUL or half a character"),
        (r"r.obj['\ud800'] == 'a'", "a key contains NUL or half a character"),
        ("r.obj.owner == '\ud800'", "this text cannot be parsed"),
        ("r.obj.owner == '\0'", "not an expression: source code string cannot contain null bytes"),
        ("r.obj.created_at < 'yesterday'", "not an ISO 8601 time"),
        ("r.obj.created_at < '2024-02-30T00:00:00Z'", "not an ISO 8601 time"),
        ("r.obj.created_at < '2024-01-01T00:00:00'", "a time needs its zone, such as a final Z"),
        ("r.obj.created_at < 5", "a time is compared with a int"),
        (
            "r.obj.created_at + days(1) < r.env.now",
            "only a time of the subject or the moment can be moved, such as r.env.now",
        ),
        ("r.env.now - days(-1) < r.env.now", "days(n) or hours(n), n at most 100000"),
        ("r.env.now - days(100001) < r.env.now", "days(n) or hours(n), n at most 100000"),
        ("r.env.now - days(True) < r.env.now", "days(n) or hours(n), n at most 100000"),
        ("r.env.now - weeks(1) < r.env.now", "days(n) or hours(n), n at most 100000"),
        ("r.env.now - 5 < r.env.now", NO_VALUE),
        ("r.obj.owne == 'a'", "`r.obj.owne` is unknown; did you mean `r.obj.owner`?"),
        ("r.sub.group", "`r.sub.group` is unknown; did you mean `r.sub.groups`?"),
        ("r.usr.id == 'a'", "`r.usr.id` is none of r.sub.…, r.obj.… and r.env.…"),
        ("owner == 'a'", "`owner` is none of r.sub.…, r.obj.… and r.env.…"),
    ],
)
def test_what_has_the_wrong_type_or_name_is_refused(text: str, message: str) -> None:
    assert refusal(text).message == message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("r.obj.owner == 'it\\'s \\\\ \\x41 \\u00e9 \\N{GRINNING FACE}'", "it's \\ A é \U0001f600"),
        ("r.obj.owner == r'\\d'", r"\d"),
        (r"r.obj.owner == '\d'", r"\d"),  # no escape of Python's: it means what it says
        ("r.obj.owner == 'a' 'b'", "ab"),
        ('r.obj.owner == "a\'b!c && r.obj.x"', "a'b!c && r.obj.x"),
        ("r.obj.owner in ['a', 'b', 'a']", frozenset({"a", "b"})),
        ("r.obj.owner in ()", frozenset()),
        ("r.obj.owner in {'a'}", frozenset({"a"})),
        ("r.obj.created_at < '2024-01-01T01:00:00+01:00'", datetime(2024, 1, 1, tzinfo=UTC)),
        ("r.obj.archived == True", True),
        ("0 <= 9223372036854775807", MAX_INT),
        ("0 >= -9223372036854775808", MIN_INT),
        ("0 == 0x10", 16),
    ],
)
def test_literals_mean_what_they_say(text: str, value: object) -> None:
    _, right = operands(text)
    assert isinstance(right, Value)
    assert right.value == value
    assert type(right.value) is type(value)


def test_words_and_chains_become_conditions() -> None:
    admin = Atom("==", Ref("sub", "admin", SUBJECT.attributes["admin"]), Value(Type.BOOL, True))
    assert policy("r.sub.admin and not (True or False)") == And(
        (admin, Not(Or((Const(True), Const(False)))))
    )
    chain = policy("'a' <= r.obj.owner < 'b'")
    owner = Ref("obj", "owner", RUN.attributes["owner"])
    a, b = Value(Type.STR, "a"), Value(Type.STR, "b")
    assert chain == And((Atom("<=", a, owner), Atom("<", owner, b)))
    assert policy(" r.sub.admin  # whoever") == admin


def test_times_of_the_moment_can_be_moved() -> None:
    left, right = operands("r.obj.created_at > r.env.now - hours(2)")
    assert left == Ref("obj", "created_at", RUN.attributes["created_at"])
    assert isinstance(right, Shifted)
    assert (right.ref.root, right.ref.name, right.by_us) == ("env", "now", -7_200_000_000)


@pytest.mark.parametrize(
    ("text", "under"),
    [
        ("r.obj.nope == 'a'", "r.obj.nope"),
        ("  r.obj.nope == 'a'  ", "r.obj.nope"),
        ("'é\U0001f600' == 'ü' or r.obj.nope == 'ä'", "r.obj.nope"),
        ("(True and\n  r.obj.nope)", "r.obj.nope"),
        ("\n (True and\r\n 'é' == 'é' and r.obj.nope)", "r.obj.nope"),
        ("(True and\r r.obj.nope)", "r.obj.nope"),
        ("(r.obj.owner == '''é\n\u2028ü''' and r.obj.nope)", "r.obj.nope"),
        ("(True and\x0c r.obj.nope)", "r.obj.nope"),
        ("(True and\r\n 'é' $ True)", "$"),
        ("True and\n\n  $", "\n"),
    ],
)
def test_the_caret_stands_under_the_place(text: str, under: str) -> None:
    refused = refusal(text)
    start, end = refused.context["start"], refused.context["end"]
    assert text[start:end] == under
    shown, caret = refused.detail.split("\n")[-2:]
    assert len(shown) == 2 + len(text)
    assert (caret.index("^"), caret.count("^")) == (2 + start, end - start)
