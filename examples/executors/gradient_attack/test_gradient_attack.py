"""A network that knows its real digits is fooled by its own gradients, not by noise as large."""

import numpy as np
import pytest
import torch
from digits import Digits
from gradient_attack import GradientAttack
from perceptron import Perceptron


@pytest.fixture
def executor():
    torch.manual_seed(1)
    found = GradientAttack()
    found.data, found.model = Digits(), Perceptron(epochs=10)
    found.model.train(Digits().load()["train"])
    return found


def test_its_own_gradients_fool_a_network_and_noise_does_not(executor):
    results = executor.execute(largest=0.15)
    assert results["accuracy"] > 0.93
    assert results["accuracy_attacked"] < 0.6
    test = Digits().load()["test"]
    noise = 0.15 * np.sign(np.random.default_rng(1).normal(size=test.inputs.shape))
    noisy = executor.model.predict((test.inputs + noise).astype("float32"))
    assert (noisy == test.targets).mean() > results["accuracy_attacked"] + 0.2


@pytest.mark.parametrize("wrong", [{"largest": 0.0}, {"steps": 0}])
def test_an_attack_of_no_size_is_refused(executor, wrong):
    with pytest.raises(ValueError, match="largest"):
        executor.execute(**wrong)


def test_gradients_of_another_shape_are_refused(executor):
    executor.model.gradients = lambda data: data.inputs[:, 0]
    with pytest.raises(ValueError, match="gradients have shape"):
        executor.execute()
