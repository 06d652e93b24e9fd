"""Measures of real wines beside those of scikit-learn."""

import numpy as np
import pytest
from evaluate import Evaluate
from nearest_neighbours import NearestNeighbours
from sklearn.metrics import f1_score
from wine import Wine


class WorstClass:
    def reset_metrics(self):
        self.seen = []

    def update_metrics(self, predictions, targets):
        self.seen += zip(targets.tolist(), (predictions == targets).tolist(), strict=True)

    def compute_metrics(self):
        classes = {target for target, _ in self.seen}
        recalls = [np.mean([ok for each, ok in self.seen if each == c]) for c in classes]
        return {"worst_recall": float(min(recalls))}


@pytest.fixture
def executor():
    found = Evaluate()
    found.data = Wine()
    found.model = NearestNeighbours()
    found.model.train(Wine().load()["train"])
    return found


def test_what_is_measured_agrees_with_scikit_learn_whatever_the_batch(executor):
    test = Wine().load()["test"]
    answers = executor.model.predict(test.inputs)
    for batch in (7, 1000):
        results = executor.execute(batch=batch)
        assert results["examples"] == len(test.targets) == 54
        assert results["accuracy"] == pytest.approx((answers == test.targets).mean())
        assert results["mean_f1"] == pytest.approx(f1_score(test.targets, answers, average="macro"))


def test_measures_of_ones_own_begin_anew_each_time(executor):
    executor.metrics = [WorstClass()]
    first, again = executor.execute(), executor.execute()
    assert 0.5 < first["worst_recall"] <= first["accuracy"]
    assert first == again


def test_a_split_that_is_not_there_is_named_with_those_that_are(executor):
    with pytest.raises(ValueError, match="no split 'validation', but test, train"):
        executor.execute(split="validation")
