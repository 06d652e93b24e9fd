"""What each NATS user may publish and subscribe: the whole permission table in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EMBEDDED_NODE = "local"
OUTSIDE_NODE = "outside"
"""No node: the API tells of runs in processes of their users under this name."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Subjects a user may publish to and subscribe to; anything else is refused."""

    publish: Sequence[str]
    subscribe: Sequence[str]


def _readable(*streams: str) -> list[str]:
    """Direct get and stream info: reading what is stored, without consumers or administration."""
    return [
        subject
        for stream in streams
        for subject in (
            f"$JS.API.DIRECT.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}.>",
            f"$JS.API.STREAM.INFO.{stream}",
        )
    ]


def of_node(node: str, user: str) -> Rights:
    """The agent of one node: ships that node's telemetry, hears that node's commands."""
    return Rights(
        publish=[f"tel.{node}.>", f"node.{node}"],
        subscribe=[f"_INBOX_{user}.>", f"ctl.{node}.>"],
    )


RIGHTS: Mapping[str, Rights] = {
    # The supervisor alone: creates and changes streams.
    "admin": Rights(publish=[">"], subscribe=[">"]),
    # API and dispatcher: append to the record, never change what is in it. Keys are the exception,
    # as erasing a person's key is how that person is erased, and so are replaced passwords and the
    # sealed values of secrets.
    "writer": Rights(
        publish=[
            *(
                f"tel.{OUTSIDE_NODE}.>",
                "ev.>",
                "lease.>",
                "ctl.>",
                "keys.>",
                "live.>",
                "node.>",
                "password.>",
                "secret.>",
                "audit.>",
            ),
            *_readable("EVENTS", "TELEMETRY", "LEASES", "NODES", "KEYS", "PASSWORDS", "SECRETS"),
            *_readable("AUDIT"),
            *("queue.ask", "_INBOX_writer.>"),  # the API asks, and the dispatcher answers it
            "$JS.API.STREAM.PURGE.KEYS",
            "$JS.API.STREAM.MSG.DELETE.KEYS",
            "$JS.API.STREAM.PURGE.PASSWORDS",
            "$JS.API.STREAM.MSG.DELETE.SECRETS",
        ],
        subscribe=["_INBOX_writer.>", "ev.>", "tel.>", "node.>", "queue.ask"],
    ),
    # The projector: reads, and hears that there is something to read.
    "reader": Rights(
        publish=_readable("EVENTS", "TELEMETRY", "AUDIT"),
        subscribe=["_INBOX_reader.>", "ev.>", "tel.>"],
    ),
    "telemetry": of_node(EMBEDDED_NODE, "telemetry"),
}
