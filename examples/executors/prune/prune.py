"""Set the least weights of a network to zero for good, and measure what that costs."""

from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

import hansard

_PRUNED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_METHODS = {"magnitude": prune.L1Unstructured, "random": prune.RandomUnstructured}


class Prune(hansard.Executor):
    """Keep the model to get a version with the zeros in it. The weights of linear and
    convolutional layers are looked at together, so that layers with little to lose lose little.
    """

    model: hansard.Slot[hansard.All[hansard.HasTorchModule, hansard.Predictor]]
    data: hansard.Slot[hansard.SupervisedData]

    def execute(
        self, share: float = 0.5, method: Literal["magnitude", "random"] = "magnitude"
    ) -> dict[str, float]:
        """`share` of all weights becomes zero; accuracies are those on the split "test"."""
        if not 0 <= share < 1:
            raise ValueError(f"`share` is at least 0 and below 1, not {share}")
        test = self.data.load()["test"]
        layers = [each for each in self.model.torch_module().modules() if isinstance(each, _PRUNED)]
        if not layers:
            raise ValueError("the model has no linear or convolutional layer")
        results = {"accuracy_before": self._accuracy(test), "sparsity_before": _sparsity(layers)}
        weights = [(layer, "weight") for layer in layers]
        prune.global_unstructured(weights, pruning_method=_METHODS[method], amount=share)
        for layer, name in weights:
            prune.remove(layer, name)
        self._tell_layers()
        return results | {"accuracy": self._accuracy(test), "sparsity": _sparsity(layers)}

    def _accuracy(self, data: hansard.Examples) -> float:
        return float((np.asarray(self.model.predict(data.inputs)) == data.targets).mean())

    def _tell_layers(self) -> None:
        named = self.model.torch_module().named_modules()
        found = {name: _sparsity([layer]) for name, layer in named if isinstance(layer, _PRUNED)}
        hansard.log_table("layers", {"layer": list(found), "sparsity": list(found.values())})


def _sparsity(layers: list[nn.Module]) -> float:
    """The share of zeros, counted."""
    zeros = sum(int(torch.count_nonzero(layer.weight == 0)) for layer in layers)
    return zeros / sum(layer.weight.numel() for layer in layers)
