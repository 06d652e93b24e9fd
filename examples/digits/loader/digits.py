"""Real scanned digits: 1,797 images of 8 by 8 pixels, shipped with scikit-learn."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import hansard


class Digits(hansard.DatasetLoader):
    """Images with values from 0 to 1 and their digits, split into "train" and "test"."""

    def __init__(self, test_share: float = 0.2, split_seed: int = 0) -> None:
        self.test_share = test_share
        self.split_seed = split_seed

    def load(self) -> dict[str, hansard.Examples]:
        images, digits = load_digits(return_X_y=True)
        train_x, test_x, train_y, test_y = train_test_split(
            images.reshape(-1, 1, 8, 8).astype("float32") / 16,
            digits,
            test_size=self.test_share,
            random_state=self.split_seed,
            stratify=digits,
        )
        return {
            "train": hansard.Examples(train_x, train_y),
            "test": hansard.Examples(test_x, test_y),
        }
