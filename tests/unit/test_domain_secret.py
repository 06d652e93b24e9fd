"""Secrets: names, numbers and keys in events, and where runs may name them."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.errors import Conflict, Invalid
from domain.secret import MAX_VALUE_BYTES, Secret, checked_value
from domain.secret_references import (
    checked_secrets,
    references,
    takes_secret,
    with_references,
)
from domain.signatures.schema import SECRET
from domain.variables import checked_variables
from hansard.formats.ids import new_id
from tests.unit.stories import emitted

NAMED = {"secret": "hub"}
DATABASE = {
    "type": "object",
    "properties": {"host": {"type": "string"}, "password": SECRET},
    "required": ["host", "password"],
    "additionalProperties": False,
}
FORM = {
    "type": "object",
    "properties": {
        "token": SECRET,
        "maybe": {"anyOf": [SECRET, {"type": "null"}]},
        "keys": {"type": "array", "items": SECRET},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, SECRET]},
        "by/name": {"type": "object", "additionalProperties": SECRET},
        "database": DATABASE,
        "plain": {"type": "object"},
        "text": {"type": "string"},
    },
    "required": [],
    "additionalProperties": False,
}


@pytest.fixture
def secret() -> Secret:
    made = Secret.create(new_id("secret"), new_id("project"), "hub", "a" * 32)
    made.collect_events()
    return made


def test_events_tell_name_number_and_key_and_nothing_else(secret: Secret) -> None:
    secret.rotate("b" * 32)
    secret.delete()
    told = [
        {k: v for k, v in vars(event).items() if k in ("name", "number", "key", "value")}
        for event in secret.pending_events
    ]
    after = {"name": "hub", "number": 2, "key": "b" * 32}
    assert told == [after, after]
    assert emitted(secret) == ["secret.rotated.v1", "secret.deleted.v1"]
    assert (secret.key, secret.first_key) == ("b" * 32, "a" * 32)


def test_what_was_deleted_stays_closed(secret: Secret) -> None:
    secret.delete()
    for act in (secret.delete, secret.restore, secret.archive, lambda: secret.rotate("c" * 32)):
        with pytest.raises(Conflict, match="deleted"):
            act()
    with pytest.raises(Conflict, match="deleted"):
        secret.rename("other")


def test_an_archived_secret_is_not_rotated_until_it_is_restored(secret: Secret) -> None:
    secret.archive()
    with pytest.raises(Conflict, match="archived"):
        secret.rotate("b" * 32)
    secret.restore()
    secret.rotate("b" * 32)
    assert secret.number == 2


@pytest.mark.parametrize(
    "value", ["", "abc", "    \n", "a\0bcd", "\ud800abc", "x" * (MAX_VALUE_BYTES + 1), "é" * 9000]
)
def test_a_value_that_cannot_be_kept_is_refused_without_being_told(value: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_value(value)
    assert value.strip() == "" or value not in caught.value.detail
    assert caught.value.context == {"field": "value"}


def test_secrets_are_named_only_where_a_form_asks_for_one() -> None:
    given: dict[str, Any] = {
        "token": NAMED,
        "maybe": NAMED,
        "keys": [NAMED, NAMED],
        "pair": ["x", NAMED],
        "by/name": {"a~b": NAMED},
        "database": {"host": "h", "password": NAMED},
        "plain": NAMED,
        "text": "x",
    }
    Draft202012Validator(with_references(FORM)).validate(given)
    found = dict(references(FORM, given, "/parameters"))
    assert found == dict.fromkeys(
        (
            *("/parameters/token", "/parameters/maybe", "/parameters/keys/0"),
            *("/parameters/keys/1", "/parameters/pair/1", "/parameters/by~1name/a~0b"),
            "/parameters/database/password",
        ),
        "hub",
    )


@pytest.mark.parametrize(
    "given",
    [
        {"token": "hunter2"},
        {"token": {"secret": "hub", "more": 1}},
        {"token": {"secret": ""}},
        {"token": {"secret": 3}},
        {"token": {"secret": "x" * 129}},
        {"maybe": "hunter2"},
        {"keys": ["hunter2"]},
        {"database": {"host": "h", "password": "hunter2"}},
    ],
)
def test_a_secret_given_as_it_is_does_not_fit_the_form(given: dict[str, Any]) -> None:
    assert not Draft202012Validator(with_references(FORM)).is_valid(given)
    assert list(references(FORM, given, "")) == []


def test_a_form_tells_which_of_its_fields_take_secrets() -> None:
    takes = {name for name, each in FORM["properties"].items() if takes_secret(each)}  # type: ignore[attr-defined]
    assert takes == {"token", "maybe", "keys", "pair", "by/name", "database"}
    assert with_references({"type": "string"}) == {"type": "string"}
    assert with_references(True) is True


def test_variables_are_text_or_name_secrets() -> None:
    given = {"MODE": "small", "HUB": NAMED}
    assert checked_variables(given) == given
    for wrong in ({"secret": 3}, {"secret": "a", "b": "c"}, 3, None, {"secret": "\0"}):
        with pytest.raises(Invalid) as caught:
            checked_variables({"HUB": wrong})
        assert caught.value.context["field"] == "variables.HUB"


def test_a_run_names_so_many_secrets_at_most() -> None:
    id_ = new_id("secret")
    assert checked_secrets({"/parameters/token": id_}) == {"/parameters/token": id_}
    with pytest.raises(Invalid, match="at most 100"):
        checked_secrets({f"/parameters/{n}": id_ for n in range(101)})
    with pytest.raises(Invalid):
        checked_secrets({"/parameters/token": new_id("model")})
