"""Hansard: the verbatim record of a machine-learning team.

The part for step code (base classes, roles, slots, logging) is standard library only; the client
and the logging of more than numbers are loaded when first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from hansard.datasets import dataset, dataset_paths, open_reference
from hansard.errors import Cancelled
from hansard.roles import (
    DatasetLoader,
    Evaluable,
    Examples,
    Executor,
    Finetunable,
    HasGradients,
    HasLosses,
    HasTargetLayer,
    HasTorchModule,
    Job,
    LabelledData,
    Model,
    Predictor,
    Preprocessor,
    ResettableMetrics,
    SplitData,
    SupervisedData,
    Trainable,
    TrainablePredictor,
    Transformation,
)
from hansard.run_log import log_metric, log_metrics, log_params, log_text
from hansard.secret import Secret
from hansard.slots import All, Slot, Slots

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
    from hansard.command import Command
    from hansard.media import (
        log_confusion_matrix,
        log_curve,
        log_figure,
        log_file,
        log_histogram,
        log_image,
        log_precision_recall,
        log_roc,
        log_table,
    )
    from hansard.models import load_model, save_model
    from hansard.tracking.session import LocalRun, start_run

__all__ = [
    "All",
    "AsyncClient",
    "Cancelled",
    "Client",
    "Command",
    "DatasetLoader",
    "Evaluable",
    "Examples",
    "Executor",
    "Fill",
    "Finetunable",
    "HasGradients",
    "HasLosses",
    "HasTargetLayer",
    "HasTorchModule",
    "Job",
    "LabelledData",
    "LocalRun",
    "LogEvent",
    "MetricsEvent",
    "Model",
    "Predictor",
    "Preprocessor",
    "ProgressEvent",
    "ResettableMetrics",
    "Run",
    "Secret",
    "SeriesSet",
    "Slot",
    "Slots",
    "SplitData",
    "StatusEvent",
    "SupervisedData",
    "Trainable",
    "TrainablePredictor",
    "Transformation",
    "Version",
    "dataset",
    "dataset_paths",
    "load_model",
    "log_confusion_matrix",
    "log_curve",
    "log_figure",
    "log_file",
    "log_histogram",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_params",
    "log_precision_recall",
    "log_roc",
    "log_table",
    "log_text",
    "open_reference",
    "save_model",
    "start_run",
]
_PLACES = {
    "Command": "hansard.command",
    "LocalRun": "hansard.tracking.session",
    "load_model": "hansard.models",
    "save_model": "hansard.models",
    "start_run": "hansard.tracking.session",
}


def __getattr__(name: str) -> Any:
    """Load the client, and with it httpx and pydantic, only when it is used; others likewise."""
    if name in __all__:
        otherwise = "hansard.media" if name.startswith("log_") else "hansard.client"
        module = _PLACES.get(name, otherwise)
        return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module `hansard` has no attribute `{name}`")
