"""What the record can hold: JSON is refused with its place, or made fit."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.plain_data import MAX_DEPTH, checked_json, flaw, storable

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda members: (
        st.lists(members, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=())), members, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": {"b": ["x", "\0"]}}, "p.a.b.1"),
        ({"a": "\udcff"}, "p.a"),
        ({"a": 2**63}, "p.a"),
        ({"a": float("-inf")}, "p.a"),
        ({"a": b"x"}, "p.a"),
        ({"a": {"\0": 1}}, "p.a"),
    ],
)
def test_what_cannot_be_held_is_refused_with_its_place(value: Any, where: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_json(value, "p")
    assert refused.value.context["field"] == where


def test_what_is_nested_too_deeply_is_refused() -> None:
    value: Any = 0
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(Invalid):
        checked_json(value, "p")
    assert checked_json(value[0], "p") == value[0]


@given(ANYTHING)
def test_what_is_found_fit_comes_back_from_json_as_it_was(value: Any) -> None:
    if flaw(value) is None:
        assert orjson.loads(orjson.dumps(value)) == value
        assert "\0" not in str(orjson.loads(orjson.dumps(value)))


@given(ANYTHING)
def test_what_was_made_fit_can_be_held(value: Any) -> None:
    assert flaw(storable(value)) is None
    if flaw(value) is None:
        assert storable(value) == value
