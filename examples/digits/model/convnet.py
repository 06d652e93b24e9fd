"""A small convolutional network for small images."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

import hansard


class ConvNet(hansard.Model):
    """Two convolutions and a linear layer, trained with Adam."""

    def __init__(self, width: int = 32, learning_rate: float = 3e-3, batch: int = 64) -> None:
        self.batch = batch
        self.network = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * width * 16, 10),
        )
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate)

    def train(self, data: hansard.Examples, epochs: int = 1) -> None:
        """Learn for some epochs; the loss of every batch is a metric."""
        inputs, targets = torch.as_tensor(data.inputs), torch.as_tensor(data.targets)
        self.network.train()
        for _ in range(epochs):
            for chosen in torch.randperm(len(inputs)).split(self.batch):
                loss = nn.functional.cross_entropy(self.network(inputs[chosen]), targets[chosen])
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()
                hansard.log_metric("loss", loss)

    @torch.no_grad()
    def predict(self, inputs):
        """The most likely digit of each image."""
        self.network.eval()
        return self.network(torch.as_tensor(inputs)).argmax(dim=1).numpy()

    def save(self, folder: Path) -> None:
        save_file(self.network.state_dict(), folder / "weights.safetensors")

    def load(self, folder: Path) -> None:
        self.network.load_state_dict(load_file(folder / "weights.safetensors"))
