"""Slots are annotations that a run fills, and say so when it has not."""

import re
from typing import Any, Optional, Protocol

import pytest

import hansard
from hansard import All, Executor, Model, Predictor, Slot, Slots, SupervisedData, Trainable
from hansard.role_check import misfit
from hansard.slots import declared_slots, part_at, slot_names, slot_roles


class Base(Executor):
    loader: Slot[SupervisedData]


class Train(Base):
    model: "Slot[Trainable]"
    rate: float = 0.1


def test_slots_are_found_in_declared_order_also_inherited_and_quoted() -> None:
    assert slot_names(Train) == ("loader", "model")
    assert slot_roles(Train) == {"loader": (SupervisedData,), "model": (Trainable,)}


def test_an_empty_slot_says_how_it_is_filled() -> None:
    with pytest.raises(AttributeError, match="slot `model` of Train is empty"):
        _ = Train().model


def test_a_slot_is_filled_for_one_executor_only() -> None:
    class Net(Model):
        def train(self, data: object) -> str:
            return "trained"

    first, second = Train(), Train()
    first.model = Net()
    assert isinstance(first.model, Trainable)
    assert not hasattr(second, "model")


class Many(Executor):
    models: Slots[All[Trainable, Predictor]]
    quoted: "hansard.Slots[Predictor]"
    listed: list[Slot[Predictor]]
    quoted_list: "list[hansard.Slot[Predictor]]"
    numbers: list[int]
    spare: Slot[Predictor] | None
    old: Optional[Slot[Predictor]]  # noqa: UP045 - an older way to write it
    quoted_spare: "Slot[Predictor] | None"
    number: int | None = None


def test_slots_of_many_and_empty_ones_need_nothing() -> None:
    many = Many()
    assert slot_roles(Many)["models"] == (Trainable, Predictor)
    declared = declared_slots(Many)
    slots_of_many = [name for name, slot in declared.items() if slot.many]
    assert slots_of_many == ["models", "quoted", "listed", "quoted_list"]
    assert all(slot.optional for slot in declared.values())
    assert {name: getattr(many, name) for name in declared} == {
        **{name: [] for name in slots_of_many},
        **dict.fromkeys(("spare", "old", "quoted_spare"), None),
    }


class Mean(Model):
    def train(self, data: object, *, epochs: int = 1) -> None: ...
    def predict(self, inputs: object) -> object: ...


def test_what_is_at_a_place_is_found_by_its_name_and_number() -> None:
    inner, outer = Many(), Many()
    inner.models = [Mean(), Mean()]  # type: ignore[list-item]
    outer.spare = inner  # type: ignore[assignment]
    assert part_at(outer, "spare.models.1") is inner.models[1]
    for place in ("old", "models.0", "spare.models.2", "number.x"):
        with pytest.raises(ValueError, match=f"nothing is in slot `{place}`"):
            part_at(outer, place)


class Rated(Protocol):
    """A role of somebody's own, not marked for the run time."""

    rate: float

    def step(self, inputs: Any, /, *, scale: float = 1.0) -> Any: ...


class Odd:
    rate = 0.5

    def __init__(self, step: Any) -> None:
        self.step = step


@pytest.mark.parametrize(
    "step", [lambda x, scale: x, lambda x, **more: x, lambda *x, scale=2, more=3: x, max]
)
def test_an_object_plays_a_role_that_it_can_be_called_for(step: Any) -> None:
    assert misfit(Odd(step), Rated) is None


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda x: x, "cannot be called as the role says: .*'scale'"),
        (lambda scale: scale, "cannot be called as the role says"),
        (lambda x, scale, more: x, "cannot be called as the role says: .*'more'"),
        (3, "cannot be called as the role says: it is no method"),
    ],
)
def test_an_object_that_cannot_be_called_as_its_role_says_does_not_play_it(
    step: Any, why: str
) -> None:
    found = misfit(Odd(step), Rated)
    assert found is not None
    assert re.search(why, found)


def test_what_lacks_a_member_does_not_play_the_role_and_classes_are_compared_as_such() -> None:
    assert misfit(Mean(), Rated) == "has no `rate`"
    assert misfit(Mean(), Model) is None
    assert misfit(Mean(), Executor) == "is no `Executor`"
    assert misfit(Mean(), Any) is None
    assert misfit(Mean(), Trainable) is None
