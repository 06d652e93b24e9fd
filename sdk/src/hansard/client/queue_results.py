"""What the client answers about the queue and the pools of nodes."""

from datetime import datetime
from typing import Any

from pydantic import Field

from hansard.client.results import Maskable, Result


class Wait(Maskable):
    """Where a run stands in its pool, counted from 1, and why; all None for one that waits not."""

    id: str
    status: str
    pool: str | None = None
    position: int | None = None
    reason: str | None = None
    starts_at: datetime | None = None


class QueuedRun(Wait):
    """A run that waits."""

    name: str
    created_by: str
    created_at: datetime
    resources: dict[str, Any] = Field(default_factory=dict)


class PoolNode(Result):
    """A node that is there: labels, CPUs, GPUs and memory in MB, and what is used of them."""

    name: str
    labels: dict[str, str] = Field(default_factory=dict)
    capacity: dict[str, int]
    used: dict[str, int] | None = None


class Pool(Result):
    """Nodes under one name."""

    name: str
    may_use: bool
    nodes: tuple[PoolNode, ...]
