"""Slots are annotations that a run fills, and say so when it has not."""

import pytest

from hansard import Executor, Model, SupervisedData, Trainable
from hansard.slots import Slot, slot_names, slot_roles


class Base(Executor):
    loader: Slot[SupervisedData]


class Train(Base):
    model: "Slot[Trainable]"
    rate: float = 0.1


def test_slots_are_found_in_declared_order_also_inherited_and_quoted() -> None:
    assert slot_names(Train) == ("loader", "model")
    assert slot_roles(Train) == {"loader": SupervisedData, "model": Trainable}


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
