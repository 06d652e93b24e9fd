"""Optional libraries, imported when a source needs them."""

import importlib
from typing import Any

from hansard.sources.errors import MissingLibrary

_DISTRIBUTIONS = {"psycopg": "psycopg[binary]"}


def require(module: str) -> Any:
    """The module, imported. Raises MissingLibrary saying what to install.

    >>> require("json").loads("1")
    1
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.partition(".")[0]
        distribution = _DISTRIBUTIONS.get(name, name)
        raise MissingLibrary(
            f"this source needs the library {name}: pip install '{distribution}'"
        ) from None
