"""Fisher's irises: 150 real flowers of three kinds, shipped with scikit-learn."""

from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

import hansard


class Iris(hansard.DatasetLoader):
    """Lengths and widths of sepals and petals in cm, and the kind of each flower."""

    def __init__(self, test_share: float = 0.3, split_seed: int = 0) -> None:
        self.test_share = test_share
        self.split_seed = split_seed

    def load(self) -> dict[str, hansard.Examples]:
        """The splits "train" and "test", with the same share of each kind."""
        measures, kinds = load_iris(return_X_y=True)
        train_x, test_x, train_y, test_y = train_test_split(
            measures.astype("float32"),
            kinds,
            test_size=self.test_share,
            random_state=self.split_seed,
            stratify=kinds,
        )
        return {
            "train": hansard.Examples(train_x, train_y),
            "test": hansard.Examples(test_x, test_y),
        }
