"""The roles shipped with the SDK, read from its source: the server never imports step code."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from domain.signature import roles


@cache
def shipped_roles() -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Role name to its methods and their parameters."""
    spec = find_spec("hansard")
    assert spec is not None
    assert spec.origin is not None
    return roles(Path(spec.origin).with_name("roles.py").read_bytes())
