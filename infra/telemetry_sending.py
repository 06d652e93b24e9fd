"""Sends frames of an attempt to the telemetry stream: stored once, however often they are sent."""

import json

from nats.aio.client import Client

from hansard.formats.frames import Frame
from infra.telemetry import Source

ACK_TIMEOUT_S = 5.0


class NotStored(Exception):
    """The broker did not store a frame: it is full, or its stream is not there (yet)."""


async def send(client: Client, source: Source, frame: Frame) -> None:
    """Send one frame and wait until it is stored; a repeat is recognised by its number.

    Send the next one of the attempt only then: readers drop what is numbered below what they have
    seen. Raises NotStored, NatsError and OSError.
    """
    answer = await client.request(
        source.subject(frame.kind),
        frame.to_bytes(),
        timeout=ACK_TIMEOUT_S,
        headers={"Nats-Msg-Id": f"{source.run}.{source.attempt}.{frame.seq}"},
    )
    error = json.loads(answer.data).get("error")
    if error is not None:
        raise NotStored(error.get("description"))
