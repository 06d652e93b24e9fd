"""Teach a small network what a large one knows: the student learns from the teacher's scores.

Source: Hinton, Vinyals, Dean, Distilling the knowledge in a neural network (2015).
"""

import torch
from torch import nn
from torch.nn import functional

import hansard


class Distil(hansard.Executor):
    """Both are made of torch modules and give a row of logits for each input, of the same classes.

    Of the splits, "train" needs no true labels where `true_share` is 0; "test" measures both.
    """

    teacher: hansard.Slot[hansard.HasTorchModule]
    student: hansard.Slot[hansard.HasTorchModule]
    data: hansard.Slot[hansard.SupervisedData]

    def execute(
        self,
        epochs: int = 20,
        temperature: float = 3.0,
        true_share: float = 0.1,
        learning_rate: float = 3e-3,
        batch: int = 64,
    ) -> dict[str, float]:
        """`true_share` is the weight of the true labels beside the teacher's scores, 0 to 1."""
        splits = self.data.load()
        teacher, student = self.teacher.torch_module().eval(), self.student.torch_module()
        inputs = torch.as_tensor(splits["train"].inputs)
        targets = torch.as_tensor(splits["train"].targets)
        with torch.no_grad():
            scores = teacher(inputs)
        optimiser = torch.optim.Adam(student.parameters(), lr=learning_rate)
        for epoch in range(1, epochs + 1):
            student.train()
            for chosen in torch.randperm(len(inputs)).split(batch):
                answers = student(inputs[chosen])
                loss = (1 - true_share) * _divergence(answers, scores[chosen], temperature)
                loss += true_share * functional.cross_entropy(answers, targets[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                hansard.log_metric("loss", loss)
            hansard.log_metric("test/accuracy", _accuracy(student, splits["test"]), step=epoch)
        return {
            "teacher_accuracy": _accuracy(teacher, splits["test"]),
            "student_accuracy": _accuracy(student, splits["test"]),
            "agreement": _agreement(teacher, student, splits["test"]),
            "teacher_parameters": _parameters(teacher),
            "student_parameters": _parameters(student),
        }


def _divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Kullback-Leibler, times the square of the temperature so that gradients keep their size."""
    return temperature**2 * functional.kl_div(
        functional.log_softmax(student / temperature, dim=1),
        functional.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )


@torch.no_grad()
def _classes(module: nn.Module, data: hansard.Examples) -> torch.Tensor:
    return module.eval()(torch.as_tensor(data.inputs)).argmax(dim=1)


def _accuracy(module: nn.Module, data: hansard.Examples) -> float:
    return float((_classes(module, data) == torch.as_tensor(data.targets)).float().mean())


def _agreement(teacher: nn.Module, student: nn.Module, data: hansard.Examples) -> float:
    return float((_classes(teacher, data) == _classes(student, data)).float().mean())


def _parameters(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())
