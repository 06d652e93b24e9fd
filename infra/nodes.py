"""Nodes that offer room for runs: each agent tells what its node has, every few seconds."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from nats.aio.client import Client

from domain.resources import Resources
from domain.scheduling import DEFAULT_POOL
from infra.event_log import direct_get
from infra.event_log.reading import DirectReader

STREAM = "NODES"
SILENT_AFTER = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was heard of lately: what it offers, and the attempts alive on it."""

    name: str
    resources: Resources
    alive: frozenset[str]
    facts: dict[str, Any]
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def pool(self) -> str:
        """The pool that the node's label `pool` names."""
        return self.labels.get("pool", DEFAULT_POOL)


class Nodes:
    """Reads what the agents last told."""

    def __init__(self, client: Client) -> None:
        self._reader = DirectReader(client)

    async def known(self) -> list[Node]:
        """All nodes that were ever heard of, as they last were."""
        return [node for node, _ in await self.told()]

    async def present(self) -> list[Node]:
        """Nodes heard of within `SILENT_AFTER`."""
        now = datetime.now(UTC)
        return [node for node, told_at in await self.told() if now - told_at < SILENT_AFTER]

    async def told(self) -> list[tuple[Node, datetime]]:
        """The same, with the time at which each was heard of."""
        messages = await self._reader.fetch(direct_get.last_of_each(STREAM, ["node.>"]))
        return [
            (
                _node(message.subject.partition(".")[2], orjson.loads(message.payload)),
                datetime.fromisoformat(message.time),
            )
            for message in messages
        ]


def _node(name: str, told: dict[str, Any]) -> Node:
    resources = Resources(told["cpus"], told["gpus"], told["memory_mb"])
    labels = told.get("labels", {})
    return Node(name, resources, frozenset(told["alive"]), told["facts"], labels)
