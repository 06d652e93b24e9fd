"""Chemical analyses of 178 real wines of three growers, shipped with scikit-learn."""

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import hansard


class Wine(hansard.DatasetLoader):
    """Thirteen measures of each wine, scaled by what the training split shows."""

    def __init__(self, test_share: float = 0.3, split_seed: int = 0) -> None:
        self.test_share = test_share
        self.split_seed = split_seed

    def load(self) -> dict[str, hansard.Examples]:
        """The splits "train" and "test", with the same share of each grower."""
        measures, growers = load_wine(return_X_y=True)
        train_x, test_x, train_y, test_y = train_test_split(
            measures,
            growers,
            test_size=self.test_share,
            random_state=self.split_seed,
            stratify=growers,
        )
        scaler = StandardScaler().fit(train_x)
        return {
            "train": hansard.Examples(scaler.transform(train_x).astype("float32"), train_y),
            "test": hansard.Examples(scaler.transform(test_x).astype("float32"), test_y),
        }
