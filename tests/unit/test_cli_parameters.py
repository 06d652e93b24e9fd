"""Parameters and slots as they are written on the command line."""

import pytest
import typer

from hansard.cli.parameters import (
    parse_env,
    parse_keep,
    parse_parameters,
    parse_seeds,
    parse_slots,
    parse_tags,
)


def test_values_are_json_where_they_can_be_and_text_otherwise() -> None:
    texts = ["i=3", "f=1e-3", "b=true", "n=null", "l=[1,2]", "t=adam", 'q="5"', "e=", "x=a=b"]
    assert parse_parameters(texts, {}).executor == {
        "i": 3,
        "f": 0.001,
        "b": True,
        "n": None,
        "l": [1, 2],
        "t": "adam",
        "q": "5",
        "e": "",
        "x": "a=b",
    }


def test_what_json_cannot_hold_stays_text() -> None:
    assert parse_parameters(["x=NaN", "y=-Infinity"], {}).executor == {"x": "NaN", "y": "-Infinity"}


def test_a_slot_in_front_of_the_dot_gets_the_parameter() -> None:
    found = parse_parameters(["epochs=2", "model.width=32", "model.deep=true"], {"model": "net"})
    assert found.executor == {"epochs": 2}
    assert found.slots == {"model": {"width": 32, "deep": True}}


@pytest.mark.parametrize(
    "text", ["epochs", "=3", "a b=1", "1x=2", "model.=1", ".x=1", "m..b=1", "m.01.b=1", "m.-1.b=1"]
)
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="NAME=VALUE"):
        parse_parameters([text], {"model": "net", "m": "net"})


def test_a_slot_that_is_not_given_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="--slot model="):
        parse_parameters(["model.width=1"], {})


def test_nothing_may_be_given_twice() -> None:
    with pytest.raises(typer.BadParameter, match="twice"):
        parse_parameters(["a=1", "a=2"], {})
    with pytest.raises(typer.BadParameter, match="twice"):
        parse_slots(["model=a", "model=b", "model.1=c"])


def test_parts_of_a_slot_of_many_are_numbered_and_may_have_slots_of_their_own() -> None:
    slots = parse_slots(["jobs=a", "data=x", "jobs=b", "jobs.1.model=net"])
    assert slots == {"jobs.0": "a", "data": "x", "jobs.1": "b", "jobs.1.model": "net"}
    found = parse_parameters(["jobs.0.rate=2", "jobs.1.model.width=3"], slots)
    assert found.slots == {"jobs.0": {"rate": 2}, "jobs.1.model": {"width": 3}}
    with pytest.raises(typer.BadParameter, match=r"say which, as in `jobs\.0`"):
        parse_parameters(["jobs.rate=2"], slots)
    with pytest.raises(typer.BadParameter, match="none is given"):
        parse_parameters(["jobs.2.rate=2"], slots)


def test_a_slot_may_hold_any_reference() -> None:
    assert parse_slots(["model=loader/a=b:3"]) == {"model": "loader/a=b:3"}


def test_tags_stay_text_and_may_have_dots() -> None:
    assert parse_tags(["git.commit=123", "a-b=true"]) == {"git.commit": "123", "a-b": "true"}


def test_what_is_kept_names_slots_that_are_filled_once() -> None:
    assert parse_keep(["a", "b=new"], {"a": "x", "b": "y"}) == {
        "a": ("version", None),
        "b": ("model", "new"),
    }
    for texts in (["c"], ["a", "a=new"]):
        with pytest.raises(typer.BadParameter):
            parse_keep(texts, {"a": "x"})


def test_seeds_are_a_number_or_a_list() -> None:
    assert parse_seeds(None) is None
    assert parse_seeds("3") == 3
    assert parse_seeds("3,") == [3]
    for text in ("", ",", "x", "1,x", "-1", "1.5"):
        with pytest.raises(typer.BadParameter):
            parse_seeds(text)


def test_variables_keep_what_follows_the_first_equals_sign() -> None:
    assert parse_env(["A=b=c", "B="]) == {"A": "b=c", "B": ""}
    for texts in (["A"], ["=b"], ["A=1", "A=2"]):
        with pytest.raises(typer.BadParameter):
            parse_env(texts)
