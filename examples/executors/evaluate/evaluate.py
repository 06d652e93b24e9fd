"""Measure a classifier on labelled data, batch by batch, as it is."""

import numpy as np

import hansard


class Evaluate(hansard.Executor):
    """Any model that predicts classes; `metrics` are further measures of one's own."""

    model: hansard.Slot[hansard.Predictor]
    data: hansard.Slot[hansard.SupervisedData]
    metrics: hansard.Slots[hansard.ResettableMetrics]

    def execute(self, split: str = "test", batch: int = 256) -> dict[str, float]:
        """Accuracy, mean F1 over classes, and what `metrics` compute; logs the confusion matrix."""
        splits = self.data.load()
        if split not in splits:
            raise ValueError(f"the loader has no split {split!r}, but {', '.join(sorted(splits))}")
        data = splits[split]
        for metric in self.metrics:
            metric.reset_metrics()
        found = []
        for at in range(0, len(data.targets), batch):
            answers = np.asarray(self.model.predict(data.inputs[at : at + batch]))
            for metric in self.metrics:
                metric.update_metrics(answers, data.targets[at : at + batch])
            found.append(answers)
        return self._results(np.concatenate(found), np.asarray(data.targets))

    def _results(self, answers: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        labels = np.unique(np.concatenate([answers, targets]))
        f1 = {label: _f1(answers == label, targets == label) for label in labels.tolist()}
        hansard.log_confusion_matrix("confusion", targets.tolist(), answers.tolist())
        hansard.log_table("classes", {"class": list(f1), "f1": list(f1.values())})
        results = {
            "examples": len(targets),
            "accuracy": float((answers == targets).mean()),
            "mean_f1": sum(f1.values()) / len(f1),
        }
        for metric in self.metrics:
            results |= metric.compute_metrics()
        for name, value in results.items():
            hansard.log_metric(name, value)
        return results


def _f1(answered: np.ndarray, true: np.ndarray) -> float:
    """2 TP / (2 TP + FP + FN)."""
    return float(2 * (answered & true).sum() / (answered.sum() + true.sum()))
