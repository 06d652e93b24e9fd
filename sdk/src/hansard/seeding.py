"""Seeds every source of randomness that user code is likely to use."""

import random
import sys
from types import ModuleType

_MAX_NUMPY_SEED = 2**32


def _seed_numpy(numpy: ModuleType, seed: int) -> None:
    numpy.random.seed(seed % _MAX_NUMPY_SEED)


def _seed_torch(torch: ModuleType, seed: int) -> None:
    torch.manual_seed(seed)  # every device's generator


_SEEDERS = {"numpy": _seed_numpy, "torch": _seed_torch}


class Seeding:
    """Seeds ``random`` at once, numpy and torch as soon as anybody has imported them.

    ``PYTHONHASHSEED`` must be set before the interpreter starts: the launcher does that.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._waiting = dict(_SEEDERS)
        random.seed(seed)

    def seed_imported(self) -> None:
        """Seed libraries that have been imported since the last call; cheap when there are none."""
        for name in list(self._waiting):
            module = sys.modules.get(name)
            if module is not None and not getattr(module.__spec__, "_initializing", False):
                self._waiting.pop(name)(module, self._seed)
