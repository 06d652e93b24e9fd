"""Adapt a model that has learned before to further data, and measure what that changed."""

import numpy as np

import hansard


class Finetune(hansard.Executor):
    """`data` has the splits "train" and "test"; `before`, if given, tells what was forgotten."""

    model: hansard.Slot[hansard.All[hansard.Finetunable, hansard.Predictor]]
    data: hansard.Slot[hansard.SupervisedData]
    before: hansard.Slot[hansard.SupervisedData] | None

    def execute(self, rounds: int = 1) -> dict[str, float]:
        """Call `finetune` so many times; accuracies on "test" before and after, and of old data."""
        splits = self.data.load()
        old = self.before.load()["test"] if self.before is not None else None
        results = {"accuracy_before": self._accuracy(splits["test"])}
        if old is not None:
            results["old_accuracy_before"] = self._accuracy(old)
        for step in range(1, rounds + 1):
            self.model.finetune(splits["train"])
            hansard.log_metric("test/accuracy", self._accuracy(splits["test"]), step=step)
        results["accuracy"] = self._accuracy(splits["test"])
        if old is not None:
            results["old_accuracy"] = self._accuracy(old)
        return results

    def _accuracy(self, data: hansard.Examples) -> float:
        return float((np.asarray(self.model.predict(data.inputs)) == data.targets).mean())
