"""Attack a model with its own gradients, to see how robust it is.

Source: Goodfellow, Shlens, Szegedy, Explaining and harnessing adversarial examples (2015).
"""

import numpy as np

import hansard


class GradientAttack(hansard.Executor):
    """Every input moves by the size of the attack in the direction that makes the model err."""

    model: hansard.Slot[hansard.All[hansard.HasGradients, hansard.Predictor]]
    data: hansard.Slot[hansard.SupervisedData]

    def execute(
        self, largest: float = 0.2, steps: int = 5, split: str = "test"
    ) -> dict[str, float]:
        """Accuracies under no attack, and under attacks of up to `largest`, in the inputs' unit."""
        if largest <= 0 or steps < 1:
            raise ValueError("`largest` is above 0 and `steps` at least 1")
        data = self.data.load()[split]
        inputs, targets = np.asarray(data.inputs), np.asarray(data.targets)
        directions = np.sign(np.asarray(self.model.gradients(data)))
        if directions.shape != inputs.shape:
            raise ValueError(f"gradients have shape {directions.shape}, not {inputs.shape}")
        sizes = [largest * step / steps for step in range(steps + 1)]
        found = []
        for step, size in enumerate(sizes):
            attacked = (inputs + size * directions).astype(inputs.dtype)
            found.append(float((np.asarray(self.model.predict(attacked)) == targets).mean()))
            hansard.log_metric("accuracy", found[-1], step=step)
        hansard.log_curve("robustness", sizes, found, x_label="attack", y_label="accuracy")
        return {"accuracy": found[0], "accuracy_attacked": found[-1], "largest": largest}
