"""Train a classifier and measure it on data it has not seen."""

import hansard


class TrainClassifier(hansard.Executor):
    """Any model that learns and predicts, any loader with a "train" and a "test" split."""

    model: hansard.Slot[hansard.TrainablePredictor]
    data: hansard.Slot[hansard.SupervisedData]

    def execute(self, epochs: int = 8) -> dict[str, float]:
        splits = self.data.load()
        accuracy = 0.0
        for epoch in range(epochs):
            self.model.train(splits["train"], epochs=1)
            right = self.model.predict(splits["test"].inputs) == splits["test"].targets
            accuracy = float(right.mean())
            hansard.log_metric("accuracy", accuracy, step=epoch)
            print(f"epoch {epoch + 1} of {epochs}: accuracy {accuracy:.4f}")
        return {"accuracy": accuracy}
