"""The step runner in its own process: what a step was asked, did and left behind."""

from pathlib import Path

import pytest

from tests.unit.step_box import Box

EXECUTOR = """
import hansard
from hansard import Slot, SupervisedData, TrainablePredictor
import model  # the executor's own helper, not the model bundle's

class Train(hansard.Executor):
    model: Slot[TrainablePredictor]
    loader: Slot[SupervisedData]

    def execute(self, epochs: int, rate: float = 0.5):
        data = self.loader.load()["train"]
        self.model.train(data, epochs=epochs)
        hansard.log_metric("loss", 1.0)
        return {"epochs": epochs, "rate": rate, "helper": model.WHO, "net": self.model.who()}
"""
MODEL = """
import hansard
from layers import WHO

class Net(hansard.Model):
    def __init__(self, size: int = 2):
        self.weights = [0] * size
    def train(self, data, epochs):
        self.weights = [epochs for _ in self.weights]
    def predict(self, inputs):
        return self.weights
    def who(self):
        import late  # an import long after loading
        return [WHO, late.WHO]
    def save(self, folder):
        (folder / "weights.json").write_text(str(self.weights))
    def load(self, folder):
        assert (folder / "weights.json").exists()
"""
LOADER = """
from hansard import DatasetLoader, Examples
import layers

class Digits(DatasetLoader):
    def load(self):
        return {"train": Examples([layers.WHO], [1])}
"""


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.fixture
def training(box: Box) -> Box:
    """Three bundles that use the module names `model`, `layers` and `late` for different things."""
    box.step["executor"] = {
        "path": box.bundle("executor", train=EXECUTOR, model="WHO = 'executor'", late="WHO = 'x'"),
        "entry": "train:Train",
        "parameters": {"epochs": 3},
    }
    box.step["slots"] = {
        "model": {
            "path": box.bundle("model", model=MODEL, layers="WHO = 'model'", late="WHO = 'late'"),
            "entry": "model:Net",
            "parameters": {"size": 4},
            "weights": None,
            "keep": True,
        },
        "loader": {
            "path": box.bundle("loader", loader=LOADER, layers="WHO = 'loader'"),
            "entry": "loader:Digits",
            "parameters": {},
            "weights": None,
            "keep": False,
        },
    }
    return box


def test_each_bundle_sees_its_own_modules_and_kept_models_are_saved(training: Box) -> None:
    assert training.result() == {
        "epochs": 3,
        "rate": 0.5,
        "helper": "executor",
        "net": ["model", "late"],
    }
    saved = training.root / "outputs" / "model" / "weights.json"
    assert saved.read_text() == "[3, 3, 3, 3]"
    assert not (training.root / "outputs" / "loader").exists()
    assert list(training.root.glob("points.*.seg"))


def test_weights_are_loaded_into_the_model(training: Box) -> None:
    training.step["slots"]["model"]["weights"] = "inputs/model"
    assert "AssertionError" in training.failure()["type"]
    (training.root / "failure.json").unlink()
    (training.root / "inputs" / "model").mkdir(parents=True)
    (training.root / "inputs" / "model" / "weights.json").write_text("[]")
    assert training.result()["epochs"] == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "needs a value for `epochs`"),
        ({"epochs": 1, "speed": 2}, "no parameter `speed`"),
        ({"epochs": "3"}, "parameter `epochs` of `train:Train` is int, not str"),
        ({"epochs": True}, "is int, not bool"),
        ({"epochs": 1, "rate": "x"}, "is float, not str"),
    ],
)
def test_parameters_that_do_not_fit_the_form_are_refused(
    training: Box, parameters: dict[str, object], message: str
) -> None:
    training.step["executor"]["parameters"] = parameters
    assert message in training.failure()["message"]


def test_an_int_is_passed_to_a_float_parameter_as_it_is(training: Box) -> None:
    training.step["executor"]["parameters"] = {"epochs": 1, "rate": 2}
    assert training.result()["rate"] == 2


def test_slots_must_be_filled_exactly_and_by_what_plays_the_role(training: Box) -> None:
    slots = training.step["slots"]
    model = slots.pop("model")
    assert "nothing fills slot `model`" in training.failure()["message"]
    slots["model"] = slots["loader"]
    assert "slot `model` asks for TrainablePredictor" in training.failure()["message"]
    slots["model"] = slots["extra"] = model
    assert "has no slot `extra`" in training.failure()["message"]
    del slots["extra"]
    model["entry"] = "model:Missing"
    assert "`model:Missing` is not in its bundle" in training.failure()["message"]
    model["entry"] = "layers:WHO"
    assert "does not derive from hansard.Model" in training.failure()["message"]


NESTED = """
import hansard
from typing import Protocol
from hansard import All, Slot, Slots, SupervisedData, TrainablePredictor

class Job(Protocol):
    def execute(self): ...

class Named(Protocol):
    name: str

class Repeat(hansard.Executor):
    jobs: Slots[Job]
    named: Slots[All[Named, SupervisedData]]
    spare: Slot[Job] | None

    def execute(self):
        ran = [job.execute(rate=9.0) for job in self.jobs]
        return {"ran": ran, "names": [each.name for each in self.named], "spare": self.spare}
"""


@pytest.fixture
def repeated(training: Box) -> Box:
    """Two executors in a slot of a third, each with a model and a loader of its own."""
    step = training.step
    train, slots = step["executor"], step["slots"]
    path = training.bundle("repeat", main=NESTED)
    step["executor"] = {"path": path, "entry": "main:Repeat", "parameters": {}}
    source = f"{LOADER}\n    name = 'a'\n"
    named = training.bundle("named", loader=source, layers="WHO = 'named'")
    step["slots"] = {f"jobs.{n}": {**train, "parameters": {"epochs": n + 1}} for n in range(2)} | {
        f"jobs.{n}.{slot}": {**part, "parameters": {}}
        for n in range(2)
        for slot, part in slots.items()
    }
    step["slots"]["named.0"] = {"path": named, "entry": "loader:Digits", "parameters": {}}
    return training


def test_executors_fill_slots_with_slots_of_their_own_and_slots_hold_many(repeated: Box) -> None:
    result = repeated.result()
    assert [(each["epochs"], each["rate"]) for each in result["ran"]] == [(1, 9.0), (2, 9.0)]
    assert (result["names"], result["spare"]) == (["a"], None)
    saved = repeated.root / "outputs" / "jobs.1.model" / "weights.json"
    assert saved.read_text() == "[2, 2]"


def test_parts_of_executors_in_slots_must_fit_too(repeated: Box) -> None:
    slots = repeated.step["slots"]
    named = slots["named.0"]
    slots["named.0"] = slots["jobs.0.loader"]
    message = "slot `named.0` asks for Named, and `Digits` has no `name`"
    assert message in repeated.failure()["message"]
    slots["named.0"] = named
    model = slots.pop("jobs.1.model")
    assert "nothing fills slot `jobs.1.model` of `train:Train`" in repeated.failure()["message"]
    slots["jobs.3.model"] = slots["jobs.1.model"] = model
    assert "has no slot `jobs.3.model`" in repeated.failure()["message"]


def test_a_failure_tells_type_message_and_traceback(box: Box) -> None:
    box.only(
        """
        class Job(hansard.Executor):
            def execute(self):
                raise KeyError("the learning rate")
        """
    )
    failure = box.failure()
    assert failure["type"] == "KeyError"
    assert failure["message"] == "'the learning rate'"
    assert 'main.py", line' in failure["traceback"]
    assert "the learning rate" in box.output


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("import sys; sys.exit(0)", "SystemExit"),
        ("return 3", "TypeError"),
        ("return {'x': object()}", "TypeError"),
        ("return {'x': 'y' * 2_000_000}", "ValueError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_only_a_result_that_can_be_kept_is_success(box: Box, body: str, kind: str) -> None:
    box.only(f"class Job(hansard.Executor):\n    def execute(self):\n        {body}\n")
    assert box.failure()["type"] == kind


def test_a_broken_step_file_is_a_failure_and_not_a_crash(box: Box) -> None:
    box.step = {"seed": 1}
    assert box.failure()["type"] == "hansard.errors.StepError"


@pytest.mark.slow
def test_seeds_reach_every_library_even_one_imported_late(box: Box) -> None:
    box.only(
        """
        import random
        import numpy as np

        class Job(hansard.Executor):
            def execute(self):
                import torch
                return {
                    "random": random.random(),
                    "numpy": np.random.rand(),
                    "torch": torch.rand(1),
                    "hash": hash("x"),
                }
        """
    )
    first, second = box.result(), box.result()
    assert first == second
    box.step["seed"] = 8
    other = box.result()
    assert all(other[name] != first[name] for name in ("random", "numpy", "torch"))


def test_classes_of_a_bundle_can_be_pickled_for_worker_processes(box: Box) -> None:
    box.only(
        """
        import multiprocessing

        def square(number):
            return number * number

        class Job(hansard.Executor):
            def execute(self):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    return {"squares": pool.map(square, [2, 3])}
        """
    )
    assert box.result() == {"squares": [4, 9]}
