"""Values of the array libraries as numbers and labels; none of them is imported unless it is used.

A value that is theirs was made by them, so they are there to read it.
"""

import math
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from hansard.media.values import Label
from hansard.plain import scalar

_REAL_KINDS = "biuf"


def as_array(value: object) -> Any:
    """The numpy array in an array, tensor or series of any library; None for anything else.

    bfloat16 and other types that numpy lacks become float32.
    """
    if callable(getattr(value, "detach", None)):
        return _of_tensor(value)
    if not hasattr(type(value), "__array__"):
        return None
    return import_module("numpy").asarray(value)


def _of_tensor(tensor: Any) -> Any:
    try:
        return tensor.numpy(force=True)
    except TypeError:
        return tensor.float().numpy(force=True)


def real_array(value: object, what: str) -> Any:
    """Like `as_array`; raises TypeError if its elements are no real numbers or truth values."""
    array = as_array(value)
    if array is not None and array.dtype.kind not in _REAL_KINDS:
        raise TypeError(f"`{what}` is an array of {array.dtype}, not of numbers")
    return array


def numbers(values: object, what: str) -> list[float]:
    """One-dimensional numbers of any kind as floats.

    Raises TypeError for what is no list of numbers, ValueError for more dimensions and for
    integers outside of float64.
    """
    array = real_array(values, what)
    if array is None:
        return [_number(each, what) for each in _elements(values, what)]
    if array.ndim != 1:
        raise ValueError(f"`{what}` has {array.ndim} dimensions: one is needed")
    return [float(each) for each in array.tolist()]


def labels(values: object, what: str) -> list[Label]:
    """Class names of any kind as text, numbers and truth values.

    Raises TypeError for what is no list of such names, ValueError for numbers that are not finite.
    """
    array = as_array(values)
    found = _elements(values if array is None else array.tolist(), what)
    return [_label(each, what) for each in found]


def _elements(values: object, what: str) -> Iterable[object]:
    if isinstance(values, str | bytes | bytearray | dict) or not isinstance(values, Iterable):
        raise TypeError(f"`{what}` is a {type(values).__name__}, not a list of values")
    return values


def _number(value: object, what: str) -> float:
    number = scalar(value)
    if isinstance(number, str | bytes | bytearray) or not hasattr(number, "__float__"):
        raise TypeError(f"`{what}` holds a {type(value).__name__}, which is no number")
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"`{what}` holds a number outside of float64") from None


def _label(value: object, what: str) -> Label:
    label = scalar(value)
    if not isinstance(label, str | int | float):
        raise TypeError(f"`{what}` holds a {type(value).__name__}: labels are text or numbers")
    if isinstance(label, float) and not math.isfinite(label):
        raise ValueError(f"`{what}` holds {label}: a label that is a number is finite")
    return label
