"""A network of real digits in a quarter or half of its bytes."""

import pytest
import torch
from digits import Digits
from perceptron import Perceptron
from quantise import Quantise


@pytest.fixture
def executor():
    torch.manual_seed(1)
    found = Quantise()
    found.data, found.model = Digits(), Perceptron(epochs=10)
    found.model.train(Digits().load()["train"])
    return found


@pytest.mark.parametrize(("to", "share"), [("int8", 0.28), ("float16", 0.5)])
def test_weights_get_small_and_answers_stay(executor, to, share):
    before = executor.model.predict(Digits().load()["test"].inputs)
    results = executor.execute(to=to)
    assert results["bytes"] / results["bytes_before"] == pytest.approx(share, abs=0.02)
    assert abs(results["accuracy"] - results["accuracy_before"]) < 0.02
    assert 0 < results["largest_error"] < 0.02
    after = executor.model.predict(Digits().load()["test"].inputs)
    assert (before == after).mean() > 0.98


def test_what_is_kept_answers_as_what_was_measured(executor, tmp_path):
    accuracy = executor.execute()["accuracy"]
    executor.model.save(tmp_path)
    again = Perceptron()
    again.load(tmp_path)
    test = Digits().load()["test"]
    assert float((again.predict(test.inputs) == test.targets).mean()) == accuracy
    values = again.network[1].weight[0].unique()
    assert len(values) <= 64  # a row of 64 weights: whole numbers times one scale
    steps = values / again.network[1].weight[0].abs().max() * 127
    assert torch.allclose(steps, steps.round(), atol=1e-3)


def test_weights_without_a_size_and_too_large_ones(executor):
    with torch.no_grad():
        executor.model.network[1].weight[0] = 0
        executor.model.network[3].bias[0] = 1e6
    with pytest.raises(ValueError, match="16 bits"):
        executor.execute(to="float16")
    assert executor.execute()["accuracy"] < 0.3
    assert (executor.model.network[1].weight[0] == 0).all()
