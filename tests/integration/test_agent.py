"""The agent against a real broker: nothing of an attempt is lost or doubled, whoever is killed."""

import asyncio
import json
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from hansard.formats.frames import Frame
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.event_log.streams import NODES, TELEMETRY, create
from infra.nats_connection import connect
from infra.nodes import Nodes
from infra.telemetry import STREAM, of_run
from tests.integration.conftest import Servers
from tests.integration.node_box import (
    DEADLINE_S,
    STUBBORN,
    Node,
    dead,
    job,
    lines,
    node,
    points,
    statuses,
    until,
)
from workers.launch_spec import LaunchSpec

PROGRESS = "import time\n" + job(
    'for n in range(200):\n    hansard.log_metric("n", n)\n    print(n)\n    time.sleep(0.01)\n'
)


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


@pytest.fixture
async def broker(servers: Servers) -> AsyncIterator[Client]:
    client = await connect(servers.nats["admin"], "test")
    for stream in (TELEMETRY, NODES):
        await create(client, stream)
    yield client
    await client.close()


class Agents:
    """Starts agents of a node, one at a time."""

    def __init__(self, box: Node, url: str) -> None:
        self._box = box
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        variables = {
            "HANSARD_NATS_TELEMETRY_URL": self._url,
            "HANSARD_DATA_DIR": self._box.root,
            "HANSARD_NODE_LABELS": "pool=test",
        }
        with (self._box.root / "agent.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "workers.agent"],
                env={**os.environ, **{name: str(value) for name, value in variables.items()}},
                stderr=log,
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(DEADLINE_S)


@pytest.fixture
def agents(box: Node, servers: Servers) -> Iterator[Agents]:
    made = Agents(box, servers.nats["telemetry"])
    made.start()
    yield made
    made.kill()


async def stored(client: Client, spec: LaunchSpec) -> list[Frame]:
    """The frames of a run in the stream, in its order."""
    context = client.jetstream()
    waiting = (await context.stream_info(STREAM, subjects_filter=of_run(spec.run))).state.subjects
    subscription = await context.subscribe(of_run(spec.run), ordered_consumer=True)
    count = sum((waiting or {}).values())
    frames = [(await subscription.next_msg(DEADLINE_S)).data for _ in range(count)]
    await subscription.unsubscribe()
    return [Frame.from_bytes(data) for data in frames]


async def ended(box: Node, client: Client, spec: LaunchSpec) -> list[Frame]:
    """The frames of a run once its attempt is shipped: without gaps, in order, each once."""
    await asyncio.to_thread(until, lambda: not box.folder(spec).path.exists())
    frames = await stored(client, spec)
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
    assert [status["state"] for status in statuses(frames)].count("ended") == 1
    return frames


async def begun(box: Node, spec: LaunchSpec, lines: int = 1) -> None:
    await asyncio.to_thread(until, lambda: len(box.lines(spec)) >= lines)


def assert_all_progress(frames: list[Frame]) -> None:
    assert points(frames)["n"] == [(n, n) for n in range(200)]
    assert list(lines(frames, "stdout").values()) == [str(n) for n in range(200)]
    assert statuses(frames)[-1]["outcome"] == "succeeded"


async def test_everything_told_of_an_attempt_is_shipped(
    box: Node, broker: Client, agents: Agents
) -> None:
    spec = box.spec(PROGRESS)
    launcher = box.start(spec)
    await begun(box, spec)
    frames = await ended(box, broker, spec)
    launcher.communicate()
    assert_all_progress(frames)
    assert agents.stop() == 0


async def test_a_killed_agent_loses_and_doubles_nothing(
    box: Node, broker: Client, agents: Agents
) -> None:
    spec = box.spec(PROGRESS)
    launcher = box.start(spec)
    for count in (20, 80, 140):
        await begun(box, spec, count)
        agents.kill()
        agents.start()
    assert_all_progress(await ended(box, broker, spec))
    launcher.communicate()


async def test_what_a_dead_launcher_left_is_finished(
    box: Node, broker: Client, agents: Agents
) -> None:
    body = (
        'for n in range(20_000): hansard.log_metric(f"k{n % 3}", n)\n'
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        'print("logged")\n'
        "time.sleep(60)"
    )
    spec = box.spec("import subprocess, sys, time\n" + job(body))
    launcher = box.start(spec)
    await begun(box, spec)
    launcher.kill()
    launcher.communicate()
    frames = await ended(box, broker, spec)
    end = statuses(frames)[-1]
    assert (end["outcome"], end["metric_points"], end["series_root"]) == ("lost", None, None)
    values = sorted(value for series in points(frames).values() for _, value in series)
    assert values == list(range(20_000))
    assert not processes_of(box, spec)


def processes_of(box: Node, spec: LaunchSpec) -> list[int]:
    mark = str(box.folder(spec).step).encode()
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/environ")
        if mark in contents(path)
    ]


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("lines", [1, 60, 120])
async def test_a_launcher_killed_at_any_moment_loses_no_point(
    box: Node, broker: Client, agents: Agents, lines: int
) -> None:
    spec = box.spec(PROGRESS)
    launcher = box.start(spec)
    await begun(box, spec, lines)
    launcher.kill()
    launcher.communicate()
    frames = await ended(box, broker, spec)
    told = points(frames)["n"]
    assert len(told) >= lines
    assert told == [(n, n) for n in range(len(told))]
    assert statuses(frames)[-1]["outcome"] == "lost"


async def test_a_full_disk_under_the_launcher_loses_no_point(
    box: Node, broker: Client, agents: Agents
) -> None:
    spec = box.spec(PROGRESS)
    launcher = box.start(spec)
    await begun(box, spec, 20)
    full = box.folder(spec).outbox.stat().st_size
    resource.prlimit(launcher.pid, resource.RLIMIT_FSIZE, (full, full))
    _, errors = await asyncio.to_thread(launcher.communicate)
    assert launcher.returncode == 1
    assert spec.token.encode() not in errors
    frames = await ended(box, broker, spec)
    told = points(frames)["n"]
    assert len(told) >= 20
    assert told == [(n, n) for n in range(len(told))]
    assert statuses(frames)[-1]["outcome"] == "lost"


async def test_a_cancel_by_message_reaches_the_step(
    box: Node, broker: Client, agents: Agents
) -> None:
    spec = box.spec(STUBBORN)
    subscription = await broker.subscribe("node.local")
    launcher = box.start(spec)
    await begun(box, spec)
    while spec.run.encode() not in (await subscription.next_msg(DEADLINE_S)).data:
        pass  # messages to an agent that is not there yet are lost: whoever sends them repeats them
    for name in ("run-unknown.1", "../evil", f"{spec.run}.1", f"{spec.run}.1"):
        await broker.publish("ctl.local.cancel", name.encode())
    frames = await ended(box, broker, spec)
    launcher.communicate()
    assert statuses(frames)[-1]["outcome"] == "cancelled"
    assert not (box.work / "run-unknown.1").exists()
    assert not (box.root / "evil").exists()


async def test_a_node_tells_what_it_has_and_what_is_alive(
    box: Node, broker: Client, agents: Agents
) -> None:
    spec = box.spec(STUBBORN)
    subscription = await broker.subscribe("node.local")
    launcher = box.start(spec)

    async def heard(wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            told: dict[str, Any] = json.loads((await subscription.next_msg(DEADLINE_S)).data)
            if wanted(told):
                return told

    told = await heard(lambda told: told["alive"] == [f"{spec.run}.1"])
    assert told["cpus"] >= 1
    assert told["memory_mb"] > 100
    assert told["gpus"] == len(told["facts"]["accelerators"])
    assert told["facts"]["cpu"]
    assert told["labels"] == {"pool": "test"}
    (known,) = [node for node in await Nodes(broker).present() if node.name == "local"]
    assert known.labels == {"pool": "test"}
    pid = box.statuses(spec)[-1].get("pid")
    launcher.kill()
    launcher.communicate()
    assert (await heard(lambda told: not told["alive"]))["alive"] == []
    assert pid is None or dead(pid)


async def test_a_killed_broker_loses_and_doubles_nothing(box: Node, tmp_path: Path) -> None:
    with DataFolder(tmp_path / "broker") as folder:
        server = NatsServer(folder)
        server.start()
        client = await connect(server.url("admin"), "test")
        for stream in (TELEMETRY, NODES):
            await create(client, stream)
        agents = Agents(box, server.url("telemetry"))
        agents.start()
        try:
            spec = box.spec(PROGRESS)
            launcher = box.start(spec)
            for count in (40, 120):
                await begun(box, spec, count)
                assert server.pid is not None
                os.kill(server.pid, 9)
                await asyncio.sleep(0.5)
                await asyncio.to_thread(server.start)
            assert_all_progress(await ended(box, client, spec))
            launcher.communicate()
        finally:
            agents.kill()
            await client.close()
            server.stop()
