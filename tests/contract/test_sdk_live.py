"""Live telemetry through the real application, over connections that are cut again and again."""

import asyncio
import math
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from hansard.client import AsyncClient, LogEvent, MetricsEvent, Run
from hansard.formats.frames import Column, Frame, Kind, LogChunk, pack_log, pack_metrics
from infra.embedded.nats_rights import EMBEDDED_NODE
from infra.nats_connection import connect
from infra.telemetry import Source
from tests.contract.served_platform import Address, a_model, a_name, an_executor

FRAMES = 60
POINTS = 5


class CutStream(httpx.AsyncByteStream):
    """A body that breaks off within its last bytes after a few pieces."""

    def __init__(self, whole: httpx.AsyncByteStream, pieces: int) -> None:
        self._whole = whole
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._pieces
        async for piece in self._whole:
            if left == 0:
                yield piece[: len(piece) // 2]
                raise httpx.ReadError("cut by the test")
            left -= 1
            yield piece

    async def aclose(self) -> None:
        await self._whole.aclose()


class CuttingTransport(httpx.AsyncHTTPTransport):
    """Cuts each live stream after some pieces; everything else passes."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.cuts = 0
        self._pieces = pieces

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path != "/v1/live":
            return response
        self.cuts += 1
        assert isinstance(response.stream, httpx.AsyncByteStream)
        stream = CutStream(response.stream, self._pieces)
        return httpx.Response(response.status_code, headers=response.headers, stream=stream)


async def asked_run(client: AsyncClient, folder: Path) -> Run:
    model = await client.push(a_model(folder / "model", a_name()))
    job = await client.push(an_executor(folder / "job", a_name()))
    return await client.run(job, {"model": model})


async def publish(address: Address, run: Run, *, pause_s: float = 0.0) -> None:
    """Ship frames of metrics and one of logs as a node's agent does."""
    source = Source(EMBEDDED_NODE, run.project, run.experiment, run.id, 1)
    nats = await connect(address.telemetry_url, "test agent")
    try:
        jetstream = nats.jetstream()
        chunk = LogChunk("stdout", 1, ["first", "second"], [1, 2])
        log = Frame(1, Kind.LOG, pack_log(chunk))
        await jetstream.publish(source.subject(Kind.LOG), log.to_bytes())
        for number in range(FRAMES):
            steps = range(number * POINTS, (number + 1) * POINTS)
            values = [math.nan if step == 7 else step / 2 for step in steps]
            column = Column("loss", array("q", steps), array("d", values), array("q", steps))
            frame = Frame(number + 2, Kind.METRICS, pack_metrics([column]))
            await jetstream.publish(source.subject(Kind.METRICS), frame.to_bytes())
            await asyncio.sleep(pause_s)
    finally:
        await nats.close()


async def test_no_point_is_left_out_or_repeated_over_many_cuts(
    address: Address, tmp_path: Path
) -> None:
    transport = CuttingTransport(pieces=4)
    steps: list[int] = []
    logged: list[str] = []
    async with AsyncClient(address.url, address.token, transport=transport) as client:
        run = await asked_run(client, tmp_path)
        live = client.live(run=run)

        async def hear() -> None:
            async for event in live:
                if isinstance(event, MetricsEvent):
                    steps.extend(event.series[0].steps)
                elif isinstance(event, LogEvent):
                    logged.extend(event.lines)

        hearing = asyncio.create_task(hear())
        await asyncio.sleep(0.3)
        await publish(address, run, pause_s=0.02)
        await client.runs.cancel(run.id)
        await asyncio.wait_for(hearing, 60)
    assert steps == list(range(FRAMES * POINTS))
    assert logged == ["first", "second"]
    assert transport.cuts > 5


async def test_series_metrics_and_logs_are_read_after_the_fact(
    address: Address, tmp_path: Path
) -> None:
    async with AsyncClient(address.url, address.token) as client:
        run = await asked_run(client, tmp_path)
        await publish(address, run)
        async with asyncio.timeout(20):
            while not (metrics := await client.runs.metrics(run.id)) or (
                metrics[0].points < FRAMES * POINTS
            ):
                await asyncio.sleep(0.05)
        assert (metrics[0].key, metrics[0].value) == ("loss", (FRAMES * POINTS - 1) / 2)
        series = (await client.series(run, ["loss"], max_points=1000, attempt=1)).items[0]
        assert series.step == list(range(FRAMES * POINTS))
        assert math.isnan(series.last[7])
        lines = [line async for line in client.runs.logs(run.id, attempt=1)]
        assert [(line.line, line.text) for line in lines] == [(1, "first"), (2, "second")]
