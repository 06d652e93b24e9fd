"""A network that has learned digits gets to know the same digits turned upside down."""

import torch
from digits import Digits
from finetune import Finetune
from perceptron import Perceptron

import hansard


class Turned:
    def load(self):
        return {
            name: hansard.Examples(split.inputs[:, :, ::-1, ::-1].copy(), split.targets)
            for name, split in Digits().load().items()
        }


def test_the_last_layer_adapts_and_the_others_stay_as_they_are():
    torch.manual_seed(1)
    model = Perceptron(epochs=8)
    model.train(Digits().load()["train"])
    below = model.network[1].weight.clone()
    executor = Finetune()
    executor.model, executor.data, executor.before = model, Turned(), Digits()
    results = executor.execute(rounds=2)
    assert results["accuracy"] > results["accuracy_before"] + 0.2
    assert results["old_accuracy_before"] > 0.9 > results["old_accuracy"]
    assert torch.equal(below, model.network[1].weight)


def test_without_old_data_nothing_is_said_of_it():
    executor = Finetune()
    executor.model, executor.data = Perceptron(), Digits()
    assert executor.execute(rounds=0).keys() == {"accuracy_before", "accuracy"}
