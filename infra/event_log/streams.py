"""The streams Hansard keeps in JetStream, and their creation."""

from dataclasses import dataclass
from typing import Any

import orjson
from nats.aio.client import Client

from infra.event_log.layout import Layout

_EXISTS = {10058}  # stream name already in use with a different configuration


class StreamsMissing(Exception):
    """A stream could not be created or has another configuration."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Name, subjects and settings of a stream; nothing that discards unless it says so."""

    name: str
    subjects: str
    settings: dict[str, Any]

    def config(self, replicas: int) -> dict[str, Any]:
        """The configuration for JetStream's create and update requests."""
        return {
            "name": self.name,
            "subjects": [self.subjects],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "allow_direct": True,
            "num_replicas": replicas,
            **self.settings,
        }


_FOR_EVER = {"deny_delete": True, "deny_purge": True}
_LATEST_ONLY = {"max_msgs_per_subject": 1, "discard": "old"}


def events(layout: Layout) -> Stream:
    """The stream of a log: never trimmed, atomic batches allowed."""
    return Stream(layout.stream, layout.everything, {**_FOR_EVER, "allow_atomic": True})


EVENTS = events(Layout())
TELEMETRY = Stream("TELEMETRY", "tel.>", _FOR_EVER)
LEASES = Stream("LEASES", "lease.>", _LATEST_ONLY)
NODES = Stream("NODES", "node.>", _LATEST_ONLY)
KEYS = Stream("KEYS", "keys.>", {"max_msgs_per_subject": 1})
PASSWORDS = Stream("PASSWORDS", "password.>", {"max_msgs_per_subject": 1})
SECRETS = Stream("SECRETS", "secret.>", {"max_msgs_per_subject": 1})
AUDIT = Stream("AUDIT", "audit.>", _FOR_EVER)

ALL = (EVENTS, TELEMETRY, LEASES, NODES, KEYS, PASSWORDS, SECRETS, AUDIT)


async def create(client: Client, stream: Stream, replicas: int = 1) -> None:
    """Create a stream, or bring an existing one to this configuration.

    Raises StreamsMissing with the broker's reason.
    """
    config = orjson.dumps(stream.config(replicas))
    error = await _ask(client, f"$JS.API.STREAM.CREATE.{stream.name}", config)
    if error and error.get("err_code") in _EXISTS:
        error = await _ask(client, f"$JS.API.STREAM.UPDATE.{stream.name}", config)
    if error:
        raise StreamsMissing(f"stream {stream.name}: {error.get('description')}")


async def _ask(client: Client, subject: str, payload: bytes) -> dict[str, Any] | None:
    answer = orjson.loads((await client.request(subject, payload, timeout=10)).data)
    error: dict[str, Any] | None = answer.get("error")
    return error
