"""A network of real digits loses most of its weights, and little of what it knows."""

import pytest
import torch
from digits import Digits
from perceptron import Perceptron
from prune import Prune


@pytest.fixture
def executor():
    torch.manual_seed(1)
    found = Prune()
    found.data, found.model = Digits(), Perceptron(epochs=10)
    found.model.train(Digits().load()["train"])
    return found


def test_what_is_pruned_is_zero_and_stays_so_when_kept(executor, tmp_path):
    results = executor.execute(share=0.6)
    assert results["sparsity_before"] == 0
    assert results["sparsity"] == pytest.approx(0.6, abs=0.001)
    assert results["accuracy"] > results["accuracy_before"] - 0.05

    executor.model.save(tmp_path)
    again = Perceptron()
    again.load(tmp_path)
    weights = [each for name, each in again.network.named_parameters() if "weight" in name]
    zeros = sum(int((each == 0).sum()) for each in weights)
    assert zeros / sum(each.numel() for each in weights) == pytest.approx(results["sparsity"])


def test_the_least_weights_are_missed_less_than_random_ones(executor):
    weights = {name: each.clone() for name, each in executor.model.network.state_dict().items()}
    least = executor.execute(share=0.8)["accuracy"]
    executor.model.network.load_state_dict(weights)
    assert executor.execute(share=0.8, method="random")["accuracy"] < least


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_refused(executor, share):
    with pytest.raises(ValueError, match="share"):
        executor.execute(share=share)


def test_a_model_without_such_layers_is_refused(executor):
    executor.model.network = torch.nn.Sequential(torch.nn.Flatten())
    with pytest.raises(ValueError, match="no linear"):
        executor.execute()
