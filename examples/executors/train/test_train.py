"""Real flowers and digits, learned by models that know nothing of each other."""

import pytest
from iris import Iris
from nearest_neighbours import NearestNeighbours
from perceptron import Perceptron
from train import Train
from wine import Wine

import hansard


def test_nearest_neighbours_learn_irises(tmp_path):
    executor = Train()
    executor.model, executor.data = NearestNeighbours(neighbours=7), Iris()
    results = executor.execute()
    assert results["examples"] == 105
    assert results["test_accuracy"] > 0.93

    executor.model.save(tmp_path)
    again = NearestNeighbours(neighbours=7)
    again.load(tmp_path)
    test = Iris().load()["test"]
    assert (again.predict(test.inputs) == executor.model.predict(test.inputs)).all()


def test_every_round_goes_on_from_the_last():
    executor = Train()
    executor.model, executor.data = Perceptron(inputs=13, classes=3, epochs=2), Wine()
    first = executor.execute()["train_accuracy"]
    assert executor.execute(rounds=10)["test_accuracy"] > max(0.9, first - 0.1)


def test_answers_of_another_shape_are_no_measure():
    class Odd:
        def train(self, data): ...
        def predict(self, inputs):
            return [0]

    executor = Train()
    executor.model, executor.data = Odd(), Iris()
    with pytest.raises(ValueError, match="shape"):
        executor.execute()


def test_numbers_can_be_measured_by_their_squared_error():
    class Mean:
        def train(self, data):
            self.mean = sum(data.targets) / len(data.targets)

        def predict(self, inputs):
            return [self.mean for _ in inputs]

    class Numbers:
        def load(self):
            return {"train": hansard.Examples([0, 0], [1.0, 3.0])}

    executor = Train()
    executor.model, executor.data = Mean(), Numbers()
    assert executor.execute(measure="mean_squared_error") == {
        "examples": 2,
        "train_mean_squared_error": 1.0,
    }
