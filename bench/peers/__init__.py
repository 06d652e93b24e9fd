"""The tools that hold and move models beside us, each at its best: MLflow, DVC and `cp`."""
