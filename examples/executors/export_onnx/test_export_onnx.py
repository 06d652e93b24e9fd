"""Networks of real digits answer in onnxruntime as they do in torch."""

import pytest
import torch
from digits import Digits
from export_onnx import ExportOnnx
from perceptron import Perceptron

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # torch warns of itself
]


@pytest.fixture
def executor():
    torch.manual_seed(1)
    found = ExportOnnx()
    found.data, found.model = Digits(), Perceptron(epochs=2)
    found.model.train(Digits().load()["train"])
    return found


def test_what_is_exported_answers_the_same_for_any_number_of_examples(executor):
    results = executor.execute()
    assert results["examples"] == 360
    assert results["largest_difference"] < 1e-4
    assert results["bytes"] > 4 * (64 * 64 + 64 * 10)
    assert results["opset"] >= 17


def test_a_difference_above_the_tolerance_is_a_failure(executor):
    with pytest.raises(ValueError, match=r"onnxruntime is .* off, more than -1"):
        executor.execute(tolerance=-1.0)  # on some machines the answers differ by nothing
