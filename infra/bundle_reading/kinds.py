"""What the kinds of bundles are called on the platform."""

KIND_OF_MANIFEST = {"executor": "executor", "model": "model", "dataset_loader": "loader"}
