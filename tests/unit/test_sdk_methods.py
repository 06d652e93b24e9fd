"""Methods of parts are given values beyond their role, and executors call them by the role."""

import copy
import pickle
from pathlib import Path

import pytest

from hansard.errors import ParameterError
from hansard.parameters import bind_methods
from tests.unit.step_box import Box

JUDGE = """
import copy
import pickle
import hansard
from hansard import Predictor, Slot

class Judge(hansard.Executor):
    model: Slot[Predictor]

    def execute(self):
        twin = copy.deepcopy(self.model)
        twin.scale = 2
        return {"own": self.model.predict([1, 3]), "twin": twin.predict([1, 3])}
"""
NET = """
from enum import Enum
import hansard

class Mode(Enum):
    ABOVE = "above"

class Net(hansard.Model):
    def __init__(self, scale: int = 1):
        self.scale = scale

    def predict(self, inputs, threshold: float, mode: Mode = Mode.ABOVE):
        assert mode is Mode.ABOVE
        return [x * self.scale > threshold for x in inputs]
"""


@pytest.fixture
def box(tmp_path: Path) -> Box:
    box = Box(tmp_path)
    box.step["executor"] = {
        "path": box.bundle("judge", judge=JUDGE),
        "entry": "judge:Judge",
        "parameters": {},
    }
    net = {"path": box.bundle("net", net=NET), "entry": "net:Net", "parameters": {}}
    box.step["slots"] = {"model": net}
    return box


def test_a_method_gets_its_values_also_in_a_copy(box: Box) -> None:
    box.step["slots"]["model"]["methods"] = {"predict": {"threshold": 1.5, "mode": "above"}}
    assert box.result() == {"own": [False, True], "twin": [True, True]}


def test_a_value_that_does_not_fit_names_the_method(box: Box) -> None:
    box.step["slots"]["model"]["methods"] = {"predict": {"threshold": "much"}}
    found = box.failure()["message"]
    assert found == "parameter `threshold` of `net:Net.predict` is float, not str"


class Part:
    def __init__(self, scale: int) -> None:
        self.scale = scale

    def weigh(self, inputs: int, by: int, plus: int = 0) -> int:
        return inputs * self.scale * by + plus


class Slotted:
    __slots__ = ()

    def weigh(self, by: int) -> int:
        return by


def test_copies_of_a_part_keep_the_values_and_use_themselves() -> None:
    part = Part(1)
    bind_methods(part, {"weigh": {"by": 10}}, "m:Part")
    twin, thawed = copy.deepcopy(part), pickle.loads(pickle.dumps(part))
    twin.scale = thawed.scale = 2
    assert [each.weigh(1) for each in (part, twin, thawed)] == [10, 20, 20]  # type: ignore[call-arg]
    assert part.weigh(1, by=2, plus=1) == 3


def test_what_cannot_be_given_values_is_refused() -> None:
    for part, methods, why in (
        (Part(1), {"wei": {}}, "has no method `wei`"),
        (Part(1), {"weigh": {"bye": 1}}, "`m:P.weigh` has no parameter `bye`"),
        (Slotted(), {"weigh": {"by": 1}}, "has only slots"),
    ):
        with pytest.raises(ParameterError, match=why):
            bind_methods(part, methods, "m:P")
