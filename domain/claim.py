"""What a run claims of the hardware: a pool, a priority, and the group that it counts for."""

import re
from typing import Any

from domain.errors import Invalid
from domain.scheduling.facts import DEFAULT_POOL
from domain.text import checked_id

MAX_PRIORITY = 100

_POOL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}")


def checked_claim(claim: dict[str, Any]) -> dict[str, Any]:
    """Pool, priority and group, those that are left out filled in. Raises Invalid."""
    pool, priority = claim.get("pool", DEFAULT_POOL), claim.get("priority", 0)
    if not _POOL.fullmatch(pool):
        raise Invalid(f"no pool can be named {pool!r}", field="pool")
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise Invalid(f"`priority` is from -{MAX_PRIORITY} to {MAX_PRIORITY}", field="priority")
    group = claim.get("group")
    return {
        "pool": pool,
        "priority": priority,
        "group": None if group is None else checked_id(group, "group"),
    }
