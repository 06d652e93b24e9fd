"""Live streams and series through a real server: everything arrives, resuming has no gap."""

import asyncio
import math
import random
from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from nats.aio.client import Client

from domain.experiment import Experiment
from domain.project import Project
from domain.run import Run
from hansard.formats.columns import Column, pack_metrics
from hansard.formats.frames import Frame, Kind, LogChunk, pack_log
from hansard.formats.ids import new_id
from infra.event_log.log import EventLog
from infra.nats_connection import connect
from infra.telemetry import Source
from tests.contract.served_platform import Address, served
from tests.integration.conftest import Servers
from tests.integration.lab import pending
from tests.unit.stories import ADMIT, BEGIN, QUEUE, START, a_request, succeed


@pytest.fixture
async def address(servers: Servers, tmp_path: Path) -> AsyncIterator[Address]:
    async with served(servers, tmp_path) as address:
        yield address


@pytest.fixture
async def client(address: Address) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {address.token}"}
    async with httpx.AsyncClient(base_url=address.url, headers=headers, timeout=10) as client:
        yield client


@pytest.fixture
async def broker(servers: Servers, address: Address) -> AsyncIterator[Client]:
    client = await connect(servers.nats["admin"], "test")
    yield client
    await client.close()


class Executing:
    """A run that goes its way and logs, as the record sees it."""

    def __init__(self, broker: Client, project: str | None = None) -> None:
        self.broker = broker
        self.project = Project.create(project or new_id("project"), "live")
        self.experiment = Experiment.create(new_id("experiment"), self.project.id, "live")
        placed = {"project": self.project.id, "experiment": self.experiment.id}
        self.run: Run = a_request(name="live", **placed)
        self.log = EventLog(broker)
        self.seq = 0

    async def save(self) -> int:
        events = [e for a in (self.project, self.experiment, self.run) for e in pending(a)]
        return (await self.log.append(events))[-1]

    async def ship(self, kind: Kind, payload: bytes) -> None:
        self.seq += 1
        source = Source("local", str(self.run.project), self.run.experiment, self.run.id, 1)
        frame = Frame(self.seq, kind, payload)
        await self.broker.request(source.subject(kind), frame.to_bytes(), 5)

    async def metrics(self, key: str = "loss", *values: float) -> None:
        found = values or (1.0, math.nan, math.inf)
        steps = array("q", range(self.seq, self.seq + len(found)))
        await self.ship(Kind.METRICS, pack_metrics([Column(key, steps, array("d", found), steps)]))

    async def line(self, text: str) -> None:
        await self.ship(Kind.LOG, pack_log(LogChunk("stdout", self.seq + 1, [text], [1])))

    async def until(self, *commands: Any) -> int:
        for command in commands:
            command(self.run)
        return await self.save()


def topic(kind: str, id_: str) -> dict[str, str]:
    return {"topics": f"{kind}:{id_}"}


Message = tuple[str, str, dict[str, Any]]


async def messages(response: httpx.Response) -> AsyncIterator[Message]:
    """Id, event and data of each server-sent event."""
    found: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif "event" in found:
            yield found.get("id", ""), found["event"], orjson.loads(found["data"])
            found = {}


async def heard(
    client: httpx.AsyncClient, params: dict[str, str], count: int, last_id: str = "e0.t0"
) -> list[Message]:
    """The next messages of a subscription, which is then cut."""
    headers = {"Last-Event-ID": last_id}
    found: list[Message] = []
    async with client.stream("GET", "/v1/live", params=params, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        async for message in messages(response):
            if message[1] != "open":
                found.append(message)
            if len(found) >= count:
                break
    return found


async def test_status_metrics_and_logs_of_a_run_arrive_in_order(
    client: httpx.AsyncClient, broker: Client
) -> None:
    job = Executing(broker)
    await job.save()
    listening = asyncio.create_task(heard(client, topic("run", job.run.id), 8))
    await job.until(QUEUE, ADMIT, START, BEGIN)
    await job.metrics()
    await job.line("größer")
    await job.until(succeed)
    found = await asyncio.wait_for(listening, 10)
    statuses = [data["status"] for _, event, data in found if event == "status"]
    assert statuses == ["requested", "queued", "admitted", "starting", "running", "succeeded"]
    (metrics,) = [data for _, event, data in found if event == "metrics"]
    assert metrics["series"][0]["values"] == [1.0, "nan", "inf"]
    (log,) = [data for _, event, data in found if event == "log"]
    assert log["lines"] == ["größer"]
    assert {data["run"] for _, _, data in found} == {job.run.id}
    assert found[-1][2]["status"] == "succeeded"


async def test_what_the_node_measures_arrives_as_its_own_event_and_is_read_apart(
    client: httpx.AsyncClient, broker: Client
) -> None:
    job = Executing(broker)
    position = await job.until(QUEUE, ADMIT, START, BEGIN)
    listening = asyncio.create_task(heard(client, topic("run", job.run.id), 7))
    await job.metrics("loss", 1.0)
    point = array("q", [0]), array("d", [50.0]), array("q", [1])
    await job.ship(Kind.HARDWARE, pack_metrics([Column("system/cpu_percent", *point)]))
    found = await asyncio.wait_for(listening, 10)
    (event,) = [data for _, event, data in found if event == "hardware"]
    assert event["series"][0]["values"] == [50.0]
    address = f"/v1/runs/{job.run.id}/hardware"
    params = {"min_position": position}
    body = (await client.get(address, params=params)).json()
    while not body["items"]:
        await asyncio.sleep(0.02)
        body = (await client.get(address, params=params)).json()
    assert [(item["key"], item["last"]) for item in body["items"]] == [
        ("system/cpu_percent", [50.0])
    ]
    none = (await client.get(address, params={"keys": "loss"})).json()
    assert none == {"items": [], "attempt": 1}
    assert (await client.get(f"/v1/runs/{new_id('run')}/hardware")).status_code == 404


@pytest.mark.parametrize("seed", range(2))
async def test_a_stream_that_is_cut_at_random_places_has_no_gap_and_no_repeat(
    client: httpx.AsyncClient, broker: Client, seed: int
) -> None:
    chance = random.Random(seed)
    job, total = Executing(broker), 80
    await job.save()

    async def log_on() -> None:
        for number in range(total):
            if number % 8 == 0:
                job.run.note(str(number))
                await job.save()
            else:
                await job.line(str(number))

    logging = asyncio.create_task(log_on())
    found: list[Message] = []
    while len(found) < total + 1:
        last_id = found[-1][0] if found else "e0.t0"
        count = min(chance.randint(1, 25), total + 1 - len(found))
        params = topic("experiment", job.run.experiment)
        found += await asyncio.wait_for(heard(client, params, count, last_id), 15)
    await logging
    lines = [int(data["lines"][0]) for _, event, data in found if event == "log"]
    notes = [int(data["data"]["note"]) for _, _, data in found if "note" in data.get("data", {})]
    assert lines == [n for n in range(total) if n % 8]
    assert notes == [n for n in range(total) if n % 8 == 0]


async def test_one_stream_carries_several_topics(client: httpx.AsyncClient, broker: Client) -> None:
    first, second, other = (Executing(broker) for _ in range(3))
    for job in (first, second, other):
        await job.save()
    params = {"topics": f"run:{first.run.id},project:{second.run.project}"}
    found = await asyncio.wait_for(heard(client, params, 2), 10)
    assert [data["run"] for _, _, data in found] == [first.run.id, second.run.id]


async def test_a_bad_last_event_id_is_refused(client: httpx.AsyncClient, broker: Client) -> None:
    job = Executing(broker)
    await job.save()
    params = topic("run", job.run.id)
    for last_id in ("x", "e1", "e1.t1.x"):
        response = await client.get("/v1/live", params=params, headers={"Last-Event-ID": last_id})
        assert response.status_code == 422
        assert response.json()["field"] == "Last-Event-ID"


async def test_bad_topics_are_refused(client: httpx.AsyncClient) -> None:
    for topics in ("", "run:1", "model:x", "run:*"):
        response = await client.get("/v1/live", params={"topics": topics})
        assert response.status_code == 422
        assert response.json()["field"] in ("topics", "id")


async def test_series_are_answered_in_buckets_with_nothing_left_out(
    client: httpx.AsyncClient, broker: Client
) -> None:
    job = Executing(broker)
    await job.until(QUEUE, ADMIT, START, BEGIN)
    values = [math.sin(n) for n in range(500)]
    values[100], values[200] = 99.0, -99.0
    await job.metrics("loss", *values)
    await job.metrics("odd", math.nan, math.inf, 1.0)

    def ended(run: Run) -> None:
        run.succeed(1, points=503, root="r", results={}, logged={}, outputs=[])

    position = await job.until(ended)
    address = f"/v1/runs/{job.run.id}/series"
    params: dict[str, Any] = {"min_position": position, "max_points": 10}
    body = (await client.get(address, params=params)).json()
    while not body["complete"]:
        await asyncio.sleep(0.02)
        body = (await client.get(address, params=params)).json()
    loss, odd = body["items"]
    assert (loss["key"], loss["points"], len(loss["min"])) == ("loss", 500, 10)
    assert (max(loss["max"]), min(loss["min"])) == (99.0, -99.0)
    assert loss["last"][-1] == values[-1]
    assert odd["last"] == ["nan", "inf", 1.0]
    only = (await client.get(address, params={"keys": "odd,none"})).json()
    assert [item["key"] for item in only["items"]] == ["odd"]
    newest = (await client.get(f"/v1/runs/{job.run.id}/metrics")).json()["items"]
    assert [(item["key"], item["points"]) for item in newest] == [("loss", 500), ("odd", 3)]
    for wrong in ({"max_points": 0}, {"max_points": 10**9}, {"attempt": 0}):
        assert (await client.get(address, params=wrong)).status_code == 422
    unknown = await client.get(f"/v1/runs/{new_id('run')}/series")
    assert unknown.status_code == 404
