"""The three kinds of abstractions that users write, and the first roles they can play.

A role is a Protocol: a class plays it by having its methods, it derives from nothing. A slot asks
for a role; users may define roles of their own in the same way.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from hansard.slots import install_slots


class Model:
    """Derive from it to offer a model; the constructor's parameters are its form.

    >>> class Mean(Model):
    ...     def __init__(self, start: float = 0.0) -> None:
    ...         self.mean = start
    ...
    ...     def predict(self, inputs):
    ...         return [self.mean for _ in inputs]
    ...
    ...     def save(self, folder):
    ...         (folder / "mean.json").write_text(str(self.mean))
    ...
    ...     def load(self, folder):
    ...         self.mean = float((folder / "mean.json").read_text())
    >>> isinstance(Mean(), Predictor)
    True
    """

    def save(self, folder: Path) -> None:
        """Write the weights as files in an existing empty folder: safetensors, never pickle."""
        raise NotImplementedError(f"{type(self).__name__} has no `save`: it cannot be kept")

    def load(self, folder: Path) -> None:
        """Take the weights that `save` of the same class wrote."""
        raise NotImplementedError(f"{type(self).__name__} has no `load`: it cannot take weights")


class DatasetLoader:
    """Derive from it to offer data; the constructor's parameters are its form.

    What else it must have is said by the role it plays, such as `SupervisedData`.
    """


class Executor:
    """Derive from it to offer a job: slots are annotations, ``execute``'s parameters its form.

    >>> from hansard.slots import Slot, slot_names
    >>> class Train(Executor):
    ...     model: Slot[Trainable]
    ...     loader: Slot[SupervisedData]
    ...
    ...     def execute(self, epochs: int = 3):
    ...         self.model.train(self.loader.load()["train"], epochs=epochs)
    ...         return {"epochs": epochs}
    >>> slot_names(Train)
    ('model', 'loader')
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        install_slots(cls)

    def execute(self, *args: Any, **kwargs: Any) -> Mapping[str, Any] | None:
        """Do the job and return its final results: a dict of JSON values, or None for none."""
        raise NotImplementedError(f"{type(self).__name__} has no `execute`")


class Examples(NamedTuple):
    """One split of labelled data: ``inputs[i]`` belongs to ``targets[i]``."""

    inputs: Any
    targets: Any


@runtime_checkable
class SupervisedData(Protocol):
    """Loads labelled examples by the name of their split: "train", "validation", "test"."""

    def load(self) -> Mapping[str, Examples]:
        """All splits; the names are the loader's to choose."""


@runtime_checkable
class Trainable(Protocol):
    """Learns from labelled examples; further parameters are the implementation's own."""

    def train(self, data: Examples, *args: Any, **kwargs: Any) -> Any:
        """Learn from one split."""


@runtime_checkable
class Predictor(Protocol):
    """Answers for inputs it has not seen."""

    def predict(self, inputs: Any) -> Any:
        """One prediction for each input."""


@runtime_checkable
class TrainablePredictor(Trainable, Predictor, Protocol):
    """Learns and answers: what a training job that measures accuracy asks for."""
