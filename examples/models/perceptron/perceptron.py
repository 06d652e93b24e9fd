"""A multi-layer perceptron: small, and open to every job that works on torch modules."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import hansard

_WEIGHTS = "weights.safetensors"


class Perceptron(hansard.Model):
    """Layers of `width` rectified units, trained with Adam; inputs of any shape are flattened.

    It plays the roles of training, finetuning, predicting, losses, gradients and torch modules.
    """

    def __init__(
        self,
        inputs: int = 64,
        classes: int = 10,
        width: int = 64,
        layers: int = 1,
        epochs: int = 20,
        learning_rate: float = 3e-3,
        batch: int = 64,
    ) -> None:
        sizes = [inputs, *[width] * layers]
        hidden = [
            part
            for size, next_size in pairwise(sizes)
            for part in (nn.Linear(size, next_size), nn.ReLU())
        ]
        self.network = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], classes))
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch = batch

    def train(self, data: hansard.Examples) -> None:
        """Learn for `epochs` epochs."""
        self._fit(data, self.network, self.epochs)

    def finetune(self, data: hansard.Examples, epochs: int = 5) -> None:
        """Let the last layer alone learn; the layers below keep what they know."""
        self._fit(data, self.network[-1], epochs)

    @torch.no_grad()
    def predict(self, inputs: Any) -> np.ndarray:
        """The most likely class of each input."""
        self.network.eval()
        return self.network(_tensor(inputs)).argmax(dim=1).numpy()

    def losses(self, data: hansard.Examples) -> torch.Tensor:
        """The cross entropy of each example."""
        return self._losses(_tensor(data.inputs), torch.as_tensor(data.targets)).detach()

    def gradients(self, data: hansard.Examples) -> np.ndarray:
        """The derivative of each example's loss by its input."""
        inputs = _tensor(data.inputs).clone().requires_grad_()
        self.network.eval()
        self._losses(inputs, torch.as_tensor(data.targets)).sum().backward()
        assert inputs.grad is not None
        return inputs.grad.numpy()

    def torch_module(self) -> nn.Module:
        """The network; it takes a batch of inputs and gives a row of logits for each."""
        return self.network

    def save(self, folder: Path) -> None:
        save_file(self.network.state_dict(), folder / _WEIGHTS)

    def load(self, folder: Path) -> None:
        self.network.load_state_dict(load_file(folder / _WEIGHTS))

    def _losses(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.network(inputs), targets, reduction="none")

    def _fit(self, data: hansard.Examples, part: nn.Module, epochs: int) -> None:
        inputs, targets = _tensor(data.inputs), torch.as_tensor(data.targets)
        optimiser = torch.optim.Adam(part.parameters(), lr=self.learning_rate)
        self.network.train()
        for _ in range(epochs):
            for chosen in torch.randperm(len(inputs)).split(self.batch):
                loss = self._losses(inputs[chosen], targets[chosen]).mean()
                self.network.zero_grad()
                loss.backward()
                optimiser.step()
                hansard.log_metric("loss", loss)


def _tensor(inputs: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
