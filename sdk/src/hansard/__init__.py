"""Hansard: the verbatim record of a machine-learning team.

The part for step code (base classes, roles, slots, logging) is standard library only; the client
is loaded when first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from hansard.errors import Cancelled
from hansard.roles import (
    DatasetLoader,
    Examples,
    Executor,
    Model,
    Predictor,
    SupervisedData,
    Trainable,
    TrainablePredictor,
)
from hansard.run_log import log_metric, log_metrics, log_params, log_text
from hansard.slots import Slot

if TYPE_CHECKING:
    from hansard.client import (
        AsyncClient,
        Client,
        Fill,
        LogEvent,
        MetricsEvent,
        ProgressEvent,
        Run,
        SeriesSet,
        StatusEvent,
        Version,
    )

__all__ = [
    "AsyncClient",
    "Cancelled",
    "Client",
    "DatasetLoader",
    "Examples",
    "Executor",
    "Fill",
    "LogEvent",
    "MetricsEvent",
    "Model",
    "Predictor",
    "ProgressEvent",
    "Run",
    "SeriesSet",
    "Slot",
    "StatusEvent",
    "SupervisedData",
    "Trainable",
    "TrainablePredictor",
    "Version",
    "log_metric",
    "log_metrics",
    "log_params",
    "log_text",
]


def __getattr__(name: str) -> Any:
    """Load the client, and with it httpx and pydantic, only when it is used."""
    if name in __all__:
        return getattr(importlib.import_module("hansard.client"), name)
    raise AttributeError(f"module `hansard` has no attribute `{name}`")
