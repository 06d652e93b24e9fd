"""How events written under an old topic read today.

A published topic never changes its meaning. A new shape is a new topic, and an entry here that
turns the old data into the new: `{"run.requested.v1": to_v2}`, where `to_v2(data)` answers the new
topic and its data. Commands and projections both go through this table.
"""

from collections.abc import Callable
from typing import Any

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]

UPCASTERS: dict[str, Upcaster] = {}
