"""Which part of a run goes into which slot, also into the slots of its parts."""

import pytest

from domain.errors import Invalid
from domain.slots import Slot, fillings, slots_of

ONE = Slot(("Trainable",), many=False, optional=False)
SPARE = Slot(("Trainable",), many=False, optional=True)
MANY = Slot(("Data", "Named"), many=True, optional=True)
KINDS: dict[str, dict[str, Slot]] = {
    "net": {},
    "train": {"model": ONE, "data": MANY},
    "repeat": {"job": ONE, "spare": SPARE},
}


def places(kind: str, **asked: str) -> dict[str, str]:
    """Where parts go that are asked for by names with `__` for a dot."""
    parts = {name.replace("__", "."): part for name, part in asked.items()}
    found, refused = fillings(KINDS[kind], parts, lambda name: KINDS[parts[name]])
    for first in refused:
        raise first
    return {f.place: f.asked for f in found}


def test_parts_go_where_they_are_asked_for_in_the_order_of_the_slots() -> None:
    found = places("train", data__1="net", data__0="net", model="net")
    assert list(found.items()) == [("model", "model"), ("data.0", "data.0"), ("data.1", "data.1")]


def test_a_slot_of_many_takes_none_or_one_under_its_own_name() -> None:
    assert places("train", model="net") == {"model": "model"}
    assert places("train", model="net", data="net") == {"model": "model", "data.0": "data"}


def test_executors_in_slots_have_slots_of_their_own() -> None:
    asked = {"job": "train", "job__model": "net", "job__data": "repeat", "job__data__job": "net"}
    assert places("repeat", **asked) == {
        "job": "job",
        "job.model": "job.model",
        "job.data.0": "job.data",
        "job.data.0.job": "job.data.job",
    }


@pytest.mark.parametrize(
    ("kind", "asked", "field", "why"),
    [
        ("train", {}, "model", "slot `model` (Trainable) is empty"),
        ("repeat", {"job": "train"}, "job.model", "slot `job.model` (Trainable) is empty"),
        ("train", {"model__0": "net"}, "model.0", "`model` takes no list"),
        ("train", {"model": "net", "model__0": "net"}, "model.0", "`model` takes no list"),
        ("train", {"model": "net", "data__1": "net"}, "data.1", "not numbered from 0"),
        ("train", {"model": "net", "data": "net", "data__0": "net"}, "data.0", "there is no slot"),
        ("train", {"model": "net", "model__x": "net"}, "model.x", "there is no slot `model.x`"),
        ("repeat", {"job": "net", "": "net"}, "", "there is no slot ``"),
    ],
)
def test_what_does_not_fill_slots_exactly_is_refused(
    kind: str, asked: dict[str, str], field: str, why: str
) -> None:
    with pytest.raises(Invalid) as refused:
        places(kind, **asked)
    assert why in str(refused.value)
    assert refused.value.context["field"] == f"slots.{field}"


def test_a_filling_tells_whose_slot_it_is_in() -> None:
    asked = {"job": "train", "job.model": "net", "job.data.0": "net"}
    found, refused = fillings(KINDS["repeat"], asked, lambda name: KINDS[asked[name]])
    assert refused == []
    assert [(f.owner, f.slot) for f in found] == [("", "job"), ("job", "model"), ("job", "data")]


def test_signatures_tell_of_slots() -> None:
    now = {"data": {"roles": ["Data", "Named"], "many": True, "optional": True}}
    assert slots_of({"slots": now}) == {"data": MANY}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found, refused = fillings(KINDS["train"], ["model.0", "data", "other"], lambda _: {})
    assert [filling.place for filling in found] == ["data.0"]
    assert [each.context["field"] for each in refused] == [
        "slots.model.0",
        "slots.other",
        "slots.model",
    ]
