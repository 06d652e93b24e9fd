"""Train any model that learns and predicts, and measure it on data it has not seen."""

from typing import Literal

import numpy as np

import hansard


class Train(hansard.Executor):
    """The loader needs a split "train"; where it has "test", that is measured too."""

    model: hansard.Slot[hansard.TrainablePredictor]
    data: hansard.Slot[hansard.SupervisedData]

    def execute(
        self, rounds: int = 1, measure: Literal["accuracy", "mean_squared_error"] = "accuracy"
    ) -> dict[str, float]:
        """Call the model's `train` so many times, and measure after each."""
        splits = self.data.load()
        results: dict[str, float] = {"examples": len(splits["train"].targets)}
        for step in range(1, rounds + 1):
            self.model.train(splits["train"])
            for split in ("train", "test"):
                if split in splits:
                    value = self._measured(splits[split], measure)
                    hansard.log_metric(f"{split}/{measure}", value, step=step)
                    results[f"{split}_{measure}"] = value
        return results

    def _measured(self, data: hansard.Examples, measure: str) -> float:
        answers, targets = np.asarray(self.model.predict(data.inputs)), np.asarray(data.targets)
        if answers.shape != targets.shape:
            raise ValueError(f"the model answers in shape {answers.shape}, not {targets.shape}")
        if measure == "accuracy":
            return float((answers == targets).mean())
        return float(((answers - targets) ** 2).mean())
