"""Metric frames as a node ships them: 20 keys, 250 ms of 100 points a second each in a frame."""

import asyncio
from array import array
from collections.abc import Sequence
from multiprocessing.sharedctypes import Synchronized
from random import Random
from time import monotonic

import orjson
import uvloop
from nats.aio.client import Client

from hansard.formats.frames import Column, Frame, Kind, pack_metrics, pack_status
from infra.nats_connection import connect
from infra.telemetry import Source

KEYS = tuple(f"train/loss_{number:02d}" for number in range(20))
POINTS_A_KEY = 25
POINTS_A_FRAME = len(KEYS) * POINTS_A_KEY
_POINT_MS = 10
_START_MS = 1_767_225_600_000
_TIMEOUT_S = 10

_values = [array("d", [Random(k).random() for _ in range(POINTS_A_KEY)]) for k in range(len(KEYS))]


def metric_frame(seq: int) -> Frame:
    """The frame with this number of an attempt that logs metrics only."""
    first = (seq - 1) * POINTS_A_KEY
    numbers = range(first, first + POINTS_A_KEY)
    steps = array("q", numbers)
    times = array("q", [_START_MS + number * _POINT_MS for number in numbers])
    columns = [Column(key, steps, v, times) for key, v in zip(KEYS, _values, strict=True)]
    return Frame(seq, Kind.METRICS, pack_metrics(columns))


def publish(url: str, sources: Sequence[Source], frames: int, began: "Synchronized[float]") -> None:
    """Publish `frames` frames of each source, then its end; returns when all are acknowledged.

    Once connected, before the first frame is packed, writes the monotonic time to `began`.
    """
    uvloop.run(_publish(url, sources, frames, began))


async def _publish(
    url: str, sources: Sequence[Source], frames: int, began: "Synchronized[float]"
) -> None:
    client = await connect(url, "bench")
    began.value = monotonic()
    await asyncio.gather(*(_ship(client, source, frames) for source in sources))
    await client.close()


async def _ship(client: Client, source: Source, frames: int) -> None:
    """One frame after the other, as an agent ships an attempt: order survives a lost answer."""
    for seq in range(1, frames + 1):
        await _send(client, source, metric_frame(seq))
    await _send(client, source, Frame(frames + 1, Kind.STATUS, pack_status({"state": "ended"})))


async def _send(client: Client, source: Source, frame: Frame) -> None:
    subject = source.subject(frame.kind)
    answer = await client.request(subject, frame.to_bytes(), timeout=_TIMEOUT_S)
    assert "error" not in orjson.loads(answer.data), answer.data
