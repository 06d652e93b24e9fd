"""A small network learns real digits from a large one, without seeing a single label."""

import torch
from digits import Digits
from distil import Distil
from perceptron import Perceptron


def test_a_student_learns_from_scores_alone_and_the_teacher_stays_as_it_is():
    torch.manual_seed(1)
    executor = Distil()
    executor.data = Digits()
    executor.teacher = Perceptron(width=128, layers=2, epochs=10)
    executor.teacher.train(Digits().load()["train"])
    before = executor.teacher.network[1].weight.clone()
    executor.student = Perceptron(width=16)
    results = executor.execute(true_share=0.0)
    assert results["teacher_accuracy"] > 0.94
    assert results["student_accuracy"] > 0.88
    assert results["agreement"] > 0.88
    assert results["student_parameters"] == 64 * 16 + 16 + 16 * 10 + 10
    assert results["teacher_parameters"] > 10 * results["student_parameters"]
    assert torch.equal(before, executor.teacher.network[1].weight)


def test_without_an_epoch_the_student_knows_nothing():
    executor = Distil()
    executor.data, executor.teacher, executor.student = Digits(), Perceptron(), Perceptron()
    assert executor.execute(epochs=0)["student_accuracy"] < 0.5
