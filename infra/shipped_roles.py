"""The SDK's own sources, over which bundles are read: the server never imports step code."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from domain.signatures.sources import Sources


@cache
def sdk_sources() -> Sources:
    """The modules of the SDK that step code sees; parsed once, when first asked for."""
    spec = find_spec("hansard")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    paths = [*folder.glob("*.py"), *folder.glob("roles/*.py")]
    return Sources({f"hansard/{p.relative_to(folder)}": p.read_bytes() for p in paths})
