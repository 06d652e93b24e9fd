"""User values as plain JSON: numpy and torch scalars become numbers, non-finite ones text."""

import math
from typing import Any

_MAX_DEPTH = 50


def plain(value: object, where: str = "value") -> Any:
    """``value`` as JSON-able data. NaN and infinities become "NaN", "Infinity", "-Infinity".

    Raises TypeError naming the place of what is no JSON, ValueError if nested too deeply.
    """
    return _plain(value, where, 0)


def _plain(value: object, where: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise ValueError(f"{where} is nested deeper than {_MAX_DEPTH} levels")
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, dict):
        return {
            _text(key, where): _plain(each, f"{where}[{key!r}]", depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(each, f"{where}[{at}]", depth + 1) for at, each in enumerate(value)]
    return _number(scalar(value), where)


def scalar(value: object) -> object:
    """The Python number in a numpy or torch scalar; anything else as it is.

    Raises TypeError for an array of more than one element.
    """
    item = getattr(value, "item", None)
    if not callable(item):
        return value
    try:
        return item()
    except (ValueError, RuntimeError):
        raise TypeError(f"a {type(value).__name__} of one element is needed") from None


def _number(value: object, where: str) -> bool | int | float | str:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if not isinstance(value, float):
        raise TypeError(f"{where} is a {type(value).__name__}, which JSON cannot hold")
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{where} has the key {key!r}: keys must be text")
    return key
