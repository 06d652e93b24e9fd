"""Accelerator variants of environments: which builds a node's driver takes, and which lock that is.

`cpu`, or `cu` and the CUDA that wheels were built with: `cu130` is CUDA 13.0, as PyTorch has it.
A driver takes what was built with its own CUDA or an older one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CPU = "cpu"
CUDA = ("cu118", "cu126", "cu128", "cu130")
DEFAULT_CUDA = CUDA[-1]
"""What is locked for GPUs while no node with one is known."""


def variant_of(accelerators: Iterable[Mapping[str, Any]]) -> str:
    """The newest variant that all of these accelerators' drivers take; `cpu` where there is none.

    >>> variant_of([{"name": "H200", "cuda": "12.9"}]), variant_of([])
    ('cu128', 'cpu')
    """
    versions = [_number(str(each.get("cuda") or "0")) for each in accelerators]
    oldest = min(versions, default=0)
    return max((CPU, *(v for v in CUDA if _rank(v) <= oldest)), key=_rank)


def packed(locks: Sequence[Mapping[str, Any]]) -> bytes:
    """The file of a run's locks, one for each variant."""
    document = locks[0] if len(locks) == 1 else {"locks": locks}
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def chosen(document: bytes, node: str) -> dict[str, Any]:
    """The lock in such a file for a node of this variant. Raises LookupError, which says why."""
    found: dict[str, Any] = json.loads(document)
    locks = {lock["variant"]: lock for lock in found.get("locks", [found])}
    usable = [variant for variant in locks if _rank(variant) <= _rank(node)]
    if not usable:
        builds = ", ".join(sorted(locks, key=_rank))
        raise LookupError(f"it was locked for builds {builds}, and this node takes {node} at most")
    return dict(locks[max(usable, key=_rank)])


def _rank(variant: str) -> int:
    digits = variant.removeprefix("cu")
    return int(digits) if digits.isdigit() else 0


def _number(version: str) -> int:
    """`12.9` as 129."""
    major, _, minor = version.partition(".")
    return 10 * int(major or 0) + int(minor or 0)
