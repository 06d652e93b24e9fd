"""What each operator means for two known values of the right types."""

from collections.abc import Callable
from typing import Any

_MEANING: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
    "overlap": lambda a, b: not a.isdisjoint(b),
    "not overlap": lambda a, b: a.isdisjoint(b),
    "prefix": lambda a, b: a.startswith(b),
    "not prefix": lambda a, b: not a.startswith(b),
}


def holds(operator: str, left: Any, right: Any) -> bool:
    """Whether the comparison holds; neither side is missing."""
    return _MEANING[operator](left, right)
