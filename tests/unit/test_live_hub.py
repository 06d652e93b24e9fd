"""The live fan-out over a log in memory: resuming, slow listeners, poison, pages cut short."""

import asyncio
import itertools
import random
import re
from array import array
from collections.abc import AsyncIterator
from typing import Any, cast

import orjson
import pytest

from api.live import hub as hub_module
from api.live.facts import FactsCache
from api.live.hub import LiveHub
from api.live.messages import LiveMessage
from api.live.topics import Topics
from api.live.viewer import Viewer
from domain.errors import Invalid
from hansard.formats.columns import Column, pack_metrics
from hansard.formats.frames import Frame, Kind
from hansard.formats.ids import new_id
from infra.event_log.log import EventLog
from infra.event_log.message import LogMessage
from infra.telemetry import Source

_UUID = "01890000-0000-7000-8000-{:012x}"  # fixed: every test process must name its tests alike
RUN, OTHER = (f"run-{_UUID.format(n)}" for n in (1, 2))
PROJECT, EXPERIMENT = f"project-{_UUID.format(3)}", f"experiment-{_UUID.format(4)}"


class MemoryLog:
    """What the hub reads of a log; pages may be shorter than asked for, as the broker's are."""

    def __init__(self, longest_page: int = 500) -> None:
        self.messages: list[LogMessage] = []
        self._longest = longest_page

    def add(self, subject: str, topic: str, payload: bytes) -> None:
        position = len(self.messages) + 1
        self.messages.append(LogMessage(position, subject, topic, "", "", payload, ""))

    async def last(self, subjects: str) -> LogMessage | None:
        found = self._matching(0, subjects)
        return found[-1] if found else None

    async def read_after(self, position: int, limit: int, subjects: str) -> list[LogMessage]:
        await asyncio.sleep(0)
        return self._matching(position, subjects)[: min(limit, self._longest)]

    def _matching(self, position: int, subjects: str) -> list[LogMessage]:
        pattern = re.escape(subjects).replace(r"\*", r"[^.]+").replace(">", ".+")
        later = self.messages[position:]
        return [message for message in later if re.fullmatch(pattern, message.subject)]


class NoFacts:
    """Nothing is known of any run, and nothing has to be."""

    async def load(self, ids: Any) -> None:
        await asyncio.sleep(0)

    def forget(self, ids: frozenset[str]) -> None:
        pass

    def clear(self) -> None:
        pass


class Anybody:
    """A viewer who may see everything, until told otherwise."""

    allowed = True

    async def may_stay(self, topics: Topics, facts: Any) -> bool:
        return self.allowed

    def shown(self, message: LiveMessage, facts: Any) -> bytes | None:
        return message.body if self.allowed else None


class Record:
    """Both streams of the record, and a hub over them."""

    def __init__(self, longest_page: int = 500) -> None:
        self.events, self.telemetry = MemoryLog(longest_page), MemoryLog(longest_page)
        self.viewer = Anybody()
        logs = cast("EventLog", self.events), cast("EventLog", self.telemetry)
        self.hub = LiveHub(*logs, cast("FactsCache", NoFacts()))

    def event(self, run: str = RUN, payload: bytes | None = None) -> None:
        told = {"data": {}, "time": "t", "project": PROJECT, "experiment": EXPERIMENT}
        self.events.add(f"ev.run.{run[4:]}.1", "run.queued.v1", payload or orjson.dumps(told))

    def metric(self, run: str = RUN) -> None:
        column = Column("loss", array("q", [1]), array("d", [1.0]), array("q", [1]))
        subject = Source("n", PROJECT, EXPERIMENT, run, 1).subject(Kind.METRICS)
        payload = Frame(1, Kind.METRICS, pack_metrics([column])).to_bytes()
        self.telemetry.add(subject, "", payload)

    def anything(self, chance: random.Random) -> None:
        chance.choice([self.event, self.metric])(chance.choice([RUN, OTHER]))

    def listen(self, last_id: str | None = None, *topics: str) -> AsyncIterator[bytes]:
        text = ",".join(topics or (f"run:{RUN}",))
        return self.hub.listen(Topics.parse(text), cast("Viewer", self.viewer), last_id)


async def taken(stream: AsyncIterator[bytes], count: int) -> list[str]:
    """The ids of the next messages, in order."""
    return [read_id(await asyncio.wait_for(anext(stream), 5)) for _ in range(count)]


def read_id(message: bytes) -> str:
    return message.partition(b"\n")[0].decode().removeprefix("id: ")


@pytest.mark.parametrize("seed", range(6))
async def test_a_listener_that_is_cut_off_anywhere_misses_nothing_and_hears_nothing_twice(
    seed: int,
) -> None:
    chance = random.Random(seed)
    record = Record(longest_page=3)
    for _ in range(20):
        record.anything(chance)
    heard: list[str] = []
    last_id = "e0.t0"
    wanted = 0
    for _ in range(12):
        for _ in range(chance.randint(0, 20)):
            record.anything(chance)
        wanted = sum(
            RUN[4:] in message.subject
            for message in (*record.events.messages, *record.telemetry.messages)
        )
        stream = record.listen(last_id)
        await taken(stream, 1)  # the opening
        ids = await taken(stream, chance.randint(0, wanted - len(heard)))
        await stream.aclose()  # type: ignore[attr-defined]
        heard += ids
        last_id = heard[-1] if heard else last_id
    stream = record.listen(last_id)
    heard += (await taken(stream, 1 + wanted - len(heard)))[1:]
    moves = [tuple(map(int, re.findall(r"\d+", id_))) for id_ in ["e0.t0", *heard]]
    steps = list(itertools.pairwise(moves))
    assert all((a[0] < b[0]) != (a[1] < b[1]) and a <= b for a, b in steps)
    assert len(heard) == wanted
    await record.hub.close()


async def test_without_an_id_a_listener_hears_from_now_on() -> None:
    record = Record()
    record.event()
    stream = record.listen()
    assert await taken(stream, 1) == ["e1.t0"]
    record.event()
    assert await taken(stream, 1) == ["e2.t0"]
    await record.hub.close()


async def test_telemetry_is_told_before_the_event_that_ends_its_run() -> None:
    record = Record()
    stream = record.listen("e0.t0")
    for _ in range(3):
        record.metric()
    record.event()
    assert await taken(stream, 5) == ["e0.t0", "e0.t1", "e0.t2", "e0.t3", "e1.t3"]
    await record.hub.close()


async def test_a_listener_hears_all_of_its_topics_and_nothing_else() -> None:
    record = Record()
    runs = record.listen("e0.t0", f"run:{RUN}", f"run:{OTHER}")
    project = record.listen("e0.t0", f"project:{PROJECT}")
    stranger = record.listen("e0.t0", f"project:{new_id('project')}")
    for run in (RUN, OTHER, new_id("run")):
        record.event(run)
    assert await taken(runs, 3) == ["e0.t0", "e1.t0", "e2.t0"]
    assert len(await taken(project, 4)) == 4
    await taken(stranger, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stranger), 0.1)
    await record.hub.close()


async def test_a_slow_listener_is_cut_off_and_comes_back_without_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "_QUEUE", 8)
    record = Record()
    slow, quick = record.listen(), record.listen()
    await taken(slow, 1)
    await taken(quick, 1)
    for _ in range(30):
        record.event()
        await taken(quick, 1)
    heard = [read_id(message) async for message in slow]
    assert len(heard) < 30
    again = record.listen(heard[-1] if heard else "e0.t0")
    assert [*heard, *(await taken(again, 31 - len(heard)))[1:]] == [
        f"e{n}.t0" for n in range(1, 31)
    ]
    await record.hub.close()


@pytest.mark.parametrize("payload", [b"[]", b"{}", b"?", b"null", b'{"data":{},"time":1}'])
async def test_poison_silences_nobody(payload: bytes) -> None:
    record = Record()
    stream = record.listen("e0.t0")
    record.event(OTHER, payload)
    await taken(stream, 1)
    record.event(RUN, payload)
    record.telemetry.add(Source("n", "p", "e", RUN, 1).subject(Kind.METRICS), "", payload)
    record.event()
    record.metric()
    heard: list[str] = []
    while not heard or heard[-1] != "e3.t2":
        heard += await taken(stream, 1)
    await record.hub.close()


@pytest.mark.parametrize("last_id", ["x", "e1", "t1.e1", "e1.t", "e-1.t0", "e1.t1\n", "e1.t1.1"])
def test_an_id_of_another_form_is_refused_before_anything_is_answered(last_id: str) -> None:
    with pytest.raises(Invalid):
        Record().listen(last_id)


async def test_who_may_not_stay_is_told_so_and_hears_nothing_more() -> None:
    record = Record()
    stream = record.listen("e0.t0")
    record.event()
    assert await taken(stream, 2) == ["e0.t0", "e1.t0"]
    record.viewer.allowed = False
    record.event()
    record.hub.noticed(frozenset())
    assert [message async for message in stream] == [b"event: denied\ndata: {}\n\n"]
    await record.hub.close()


@pytest.mark.parametrize(
    "text",
    [
        *("", "run", "model:x", f"run:{PROJECT}", "run:*", "run:>", f"run:{RUN}.x"),
        ",".join(f"run:run-01890000-0000-7000-8000-{n:012x}" for n in range(65)),
    ],
)
def test_such_topics_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Topics.parse(text)


async def test_closing_lets_every_listener_go() -> None:
    record = Record()
    stream: Any = record.listen()
    await taken(stream, 1)
    await record.hub.close()
    assert [message async for message in stream] == []
