"""The three kinds of abstractions that users write, and the roles they can play.

A role is a Protocol: a class plays it by having its methods, it derives from nothing. A slot asks
for roles; users define roles of their own in the same way, in the bundle of their Executor.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from hansard.slots import install_slots

if TYPE_CHECKING:
    import torch


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
class Job(Protocol):
    """What an Executor of one's own plays: it can fill a slot of another Executor."""

    def execute(self) -> Mapping[str, Any] | None:
        """Do it with the parameters that the run gave, and return its results."""


@runtime_checkable
class SupervisedData(Protocol):
    """Loads labelled examples by the name of their split: "train", "validation", "test"."""

    def load(self) -> Mapping[str, Examples]:
        """All splits; the names are the loader's to choose."""


@runtime_checkable
class LabelledData(Protocol):
    """Loads one set of labelled examples."""

    def examples(self) -> Examples:
        """All of them."""


@runtime_checkable
class SplitData(Protocol):
    """Loads labelled examples in three sets that share none; each can be loaded alone."""

    def train_set(self) -> Examples:
        """What to learn from."""

    def validation_set(self) -> Examples:
        """What to choose by."""

    def test_set(self) -> Examples:
        """What to measure by, once."""


@runtime_checkable
class Trainable(Protocol):
    """Learns from labelled examples; further parameters are the implementation's own."""

    def train(self, data: Examples, *args: Any, **kwargs: Any) -> Any:
        """Learn from one split."""


@runtime_checkable
class Finetunable(Protocol):
    """Adapts what it has learned before to further examples, without beginning anew."""

    def finetune(self, data: Examples, *args: Any, **kwargs: Any) -> Any:
        """Adapt to one split."""


@runtime_checkable
class Predictor(Protocol):
    """Answers for inputs it has not seen."""

    def predict(self, inputs: Any) -> Any:
        """One prediction for each input."""


@runtime_checkable
class TrainablePredictor(Trainable, Predictor, Protocol):
    """Learns and answers: what a training job that measures accuracy asks for."""


@runtime_checkable
class Evaluable(Protocol):
    """Measures itself, where only it knows how."""

    def evaluate(self, data: Examples) -> Mapping[str, float]:
        """Its measures on one split, by name."""


@runtime_checkable
class HasTorchModule(Protocol):
    """Is made of a torch module, for jobs that work on its weights."""

    def torch_module(self) -> "torch.nn.Module":
        """The module itself, no copy: a change of it changes the model.

        It takes a batch of inputs as one tensor, and gives one row of scores for each.
        """


@runtime_checkable
class HasTargetLayer(Protocol):
    """Knows the layer that explanations such as Grad-CAM look at."""

    def target_layer(self) -> "torch.nn.Module":
        """A submodule, most often the last one with spatial features."""


@runtime_checkable
class HasLosses(Protocol):
    """Tells how wrong it is, example by example."""

    def losses(self, data: Examples) -> Any:
        """One loss for each example: an array or tensor of shape (examples,)."""


@runtime_checkable
class HasGradients(Protocol):
    """Tells in which direction an input makes it more wrong."""

    def gradients(self, data: Examples) -> Any:
        """The derivative of each example's loss by its input, in the shape of the inputs."""


@runtime_checkable
class Preprocessor(Protocol):
    """Brings raw inputs into the form that a model takes."""

    def preprocess(self, inputs: Any) -> Any:
        """One preprocessed input for each."""


@runtime_checkable
class Transformation(Protocol):
    """Wraps what a model does, to defend, smooth or calibrate it.

    >>> class Twice:
    ...     def transform(self, predict):
    ...         return lambda inputs: predict(predict(inputs))
    >>> isinstance(Twice(), Transformation), Twice().transform(lambda x: x + 1)(0)
    (True, 2)
    """

    def transform(self, predict: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function to use instead of `predict`, from inputs to one prediction for each."""


@runtime_checkable
class ResettableMetrics(Protocol):
    """Measures over batches, with a state that can begin again.

    >>> class Accuracy:
    ...     def reset_metrics(self):
    ...         self.right, self.seen = 0, 0
    ...
    ...     def update_metrics(self, predictions, targets):
    ...         self.right += sum(p == t for p, t in zip(predictions, targets))
    ...         self.seen += len(targets)
    ...
    ...     def compute_metrics(self):
    ...         return {"accuracy": self.right / self.seen}
    >>> isinstance(Accuracy(), ResettableMetrics)
    True
    """

    def reset_metrics(self) -> None:
        """Forget what was seen."""

    def update_metrics(self, predictions: Any, targets: Any) -> None:
        """See a batch."""

    def compute_metrics(self) -> Mapping[str, float]:
        """The measures over all that was seen since the reset."""
