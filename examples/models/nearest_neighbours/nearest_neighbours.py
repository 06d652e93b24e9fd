"""k-nearest neighbours: a model is the examples that it remembers."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.neighbors import KNeighborsClassifier

import hansard

_WEIGHTS = "examples.safetensors"


class NearestNeighbours(hansard.Model):
    """Answers with the class that most of the `neighbours` nearest examples have."""

    def __init__(
        self, neighbours: int = 5, weights: Literal["uniform", "distance"] = "uniform"
    ) -> None:
        self._classifier = KNeighborsClassifier(neighbours, weights=weights)
        self._examples: dict[str, np.ndarray] = {}

    def train(self, data: hansard.Examples) -> None:
        """Remember the examples."""
        self._remember(np.asarray(data.inputs), np.asarray(data.targets))

    def predict(self, inputs: Any) -> np.ndarray:
        """The class of each input."""
        return self._classifier.predict(np.asarray(inputs))

    def save(self, folder: Path) -> None:
        save_file(self._examples, folder / _WEIGHTS)

    def load(self, folder: Path) -> None:
        found = load_file(folder / _WEIGHTS)
        self._remember(found["inputs"], found["targets"])

    def _remember(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        self._examples = {
            "inputs": np.ascontiguousarray(inputs),
            "targets": np.ascontiguousarray(targets),
        }
        self._classifier.fit(inputs, targets)
