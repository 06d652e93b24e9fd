"""Telemetry on real servers: repeats fold once, compaction keeps every point, bad frames wait."""

import random
import struct
from array import array
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from hansard.formats.columns import Column, pack_metrics
from hansard.formats.frames import Frame, Kind, LogChunk, pack_log, pack_status
from hansard.formats.ids import new_id
from infra.database import Connection
from infra.metric_columns import Series, joined
from policies.access import Permit
from projections import compaction, run_records
from projections.rebuild import compare
from projections.series import read_attempt
from tests.integration.conftest import Servers
from tests.integration.lab import Lab, catch_up, compacted
from tests.integration.lab import lab as open_lab

RUN = new_id("run")
PERMIT = Permit("run", RUN)
ODD = (0x7FF8000000000001, 0xFFF0000000000000, 0x7FF0000000000000, 0x8000000000000000)
"""A NaN with a payload, both infinities, a negative zero: bit patterns that must survive."""


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


def a_value(chance: random.Random) -> float:
    bits = chance.choice([*ODD, *(chance.getrandbits(62) for _ in range(8))])
    found: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return found


def a_column(chance: random.Random, key: str) -> Column:
    count = chance.randint(1, 5)
    steps = array("q", [chance.randint(-9, 9) for _ in range(count)])
    if chance.random() < 0.7:
        steps = array("q", range(chance.randint(0, 50), 100)[:count])
    times = array("q", [chance.randint(0, 2**41) for _ in range(count)])
    return Column(key, steps, array("d", [a_value(chance) for _ in range(count)]), times)


class Sender:
    """Ships frames as an agent does, and sends them again when it pleases."""

    def __init__(self, lab: Lab, run: str = RUN, attempt: int = 1) -> None:
        self.lab = lab
        self.place = f"{lab.telemetry}.n.p.e.{run}.{attempt}"
        self.frames: list[Frame] = []

    def metrics(self, columns: list[Column]) -> None:
        self._add(Kind.METRICS, pack_metrics(columns))

    def log(self, first_line: int, *lines: str) -> None:
        times = range(first_line, first_line + len(lines))
        self._add(Kind.LOG, pack_log(LogChunk("stdout", first_line, lines, times)))

    def ended(self) -> None:
        self._add(Kind.STATUS, pack_status({"state": "ended"}))

    def _add(self, kind: Kind, payload: bytes) -> None:
        self.frames.append(Frame(len(self.frames) + 1, kind, payload))

    async def send(self, start: int, stop: int) -> None:
        for frame in self.frames[start:stop]:
            kind = {Kind.METRICS: "m", Kind.LOG: "l", Kind.STATUS: "s"}[frame.kind]
            await self.lab.publish(f"{self.place}.{kind}", frame.to_bytes())


def bits_of(parts: list[Series]) -> tuple[bytes, bytes, bytes]:
    series = joined("", parts)
    return series.steps.tobytes(), series.values.tobytes(), series.times.tobytes()


def expected_bits(columns: list[Column]) -> tuple[bytes, bytes, bytes]:
    whole = (array("q"), array("d"), array("q"))
    for column in columns:
        whole[0].extend(column.steps)
        whole[1].extend(column.values)
        whole[2].extend(column.times)
    return whole[0].tobytes(), whole[1].tobytes(), whole[2].tobytes()


def stored_bits(connection: Connection) -> dict[str, tuple[bytes, bytes, bytes]]:
    return {key: bits_of(parts) for key, parts in read_attempt(connection, RUN, 1).items()}


@pytest.mark.parametrize("seed", range(3))
async def test_every_point_is_kept_once_and_in_order_through_repeats_and_compaction(
    lab: Lab, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    sender = Sender(lab)
    logged: dict[str, list[Column]] = {}
    for _ in range(60):
        columns = [a_column(chance, key) for key in chance.sample("abcd", chance.randint(1, 3))]
        sender.metrics(columns)
        for column in columns:
            logged.setdefault(column.key, []).append(column)
    cuts = sorted({0, 60, *(chance.randint(0, 60) for _ in range(6))})
    for start, stop in pairwise(cuts):
        await sender.send(max(0, start - chance.randint(0, 10)), stop)
    expected = {key: expected_bits(columns) for key, columns in logged.items()}
    points = sum(len(column) for columns in logged.values() for column in columns)
    monkeypatch.setattr(compaction, "MAX_TAIL_FRAMES", 7)
    tables = lab.tables(lab.schema())
    follower = lab.telemetry_follower(tables)
    while follower.step(limit=chance.randint(1, 20)):
        compacted(tables)
        assert set(stored_bits(tables)) <= set(expected)
    assert stored_bits(tables) == expected
    assert run_records.points_stored(tables, PERMIT, 1) == points
    plain = lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(plain))
    assert stored_bits(plain) == expected
    assert compare(tables, plain) == []


async def test_an_attempt_that_has_ended_is_compacted_whole(lab: Lab) -> None:
    sender = Sender(lab)
    for step in range(5):
        column = Column("loss", array("q", [step]), array("d", [1.0]), array("q", [step]))
        sender.metrics([column])
    sender.ended()
    await sender.send(0, 6)
    tables = lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(tables))
    compacted(tables)
    counted = tables.execute("SELECT count(*) FROM metric_tail").fetchone()
    chunks = tables.execute("SELECT key, points FROM metric_chunk").fetchall()
    assert counted == (0,)
    assert chunks == [("loss", 5)]


async def test_the_newest_point_is_that_of_the_newest_attempt(lab: Lab) -> None:
    for attempt, value in ((1, 1.0), (2, 2.0)):
        sender = Sender(lab, attempt=attempt)
        column = Column("loss", array("q", [9]), array("d", [value]), array("q", [1]))
        sender.metrics([column])
        await sender.send(0, 1)
    late = Sender(lab, attempt=1)
    for _ in range(2):
        late.metrics([Column("loss", array("q", [10]), array("d", [9.0]), array("q", [2]))])
    await late.send(1, 2)
    tables = lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(tables), lambda: 1)
    (newest,) = run_records.latest_metrics(tables, PERMIT)
    assert (newest["attempt"], newest["step"], newest["value"]) == (2, 9, 2.0)
    assert run_records.points_stored(tables, PERMIT, 1) == 2


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("frames", "low", "high", "last"),
    [
        ([[2.0], [-3.0, 5.0], [4.0]], -3.0, 5.0, 4.0),
        ([[NAN], [1.0, NAN], [NAN]], 1.0, 1.0, None),
        ([[NAN, NAN], [NAN]], None, None, None),
        ([[1.0, INFINITY], [-INFINITY]], "-inf", "inf", -INFINITY),
        ([[0.0], [-0.0]], 0.0, 0.0, -0.0),
    ],
)
async def test_the_lowest_and_highest_value_are_kept_however_the_frames_are_cut(
    lab: Lab,
    frames: list[list[float]],
    low: float | str | None,
    high: float | str | None,
    last: float | None,
) -> None:
    sender = Sender(lab)
    for values in frames:
        steps = array("q", range(len(values)))
        sender.metrics([Column("loss", steps, array("d", values), steps)])
    await sender.send(0, 2)
    await sender.send(0, len(frames))
    at_once, one_by_one = (lab.tables(lab.schema()) for _ in range(2))
    catch_up(lab.telemetry_follower(at_once))
    catch_up(lab.telemetry_follower(one_by_one), lambda: 1)
    assert compare(at_once, one_by_one) == []
    (newest,) = run_records.latest_metrics(at_once, PERMIT)
    assert (newest["low"], newest["high"]) == (low, high)
    assert newest["points"] == sum(map(len, frames))
    assert at_once.execute("SELECT last FROM metric_latest").fetchone() == (last,)


async def test_a_newer_attempt_begins_its_extremes_anew(lab: Lab) -> None:
    for attempt, values in ((1, [-9.0, 9.0]), (2, [1.0, 2.0])):
        sender = Sender(lab, attempt=attempt)
        sender.metrics([Column("loss", array("q", [1, 2]), array("d", values), array("q", [1, 2]))])
        await sender.send(0, 1)
    at_once, one_by_one = (lab.tables(lab.schema()) for _ in range(2))
    catch_up(lab.telemetry_follower(at_once))
    catch_up(lab.telemetry_follower(one_by_one), lambda: 1)
    for tables in (at_once, one_by_one):
        (newest,) = run_records.latest_metrics(tables, PERMIT)
        assert (newest["low"], newest["high"], newest["points"]) == (1.0, 2.0, 2)


async def test_log_lines_come_once_in_order_and_page_by_page(lab: Lab) -> None:
    sender = Sender(lab)
    sender.log(1, "one", "two")
    sender.log(3, "nul \0", "größer")
    sender.log(5, "five")
    await sender.send(0, 2)
    await sender.send(0, 3)
    tables = lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(tables), lambda: 2)
    lines = run_records.log_lines(tables, PERMIT, 1, "stdout", 0, 100)
    assert [(line["line"], line["text"]) for line in lines] == [
        *((1, "one"), (2, "two"), (3, "nul \N{REPLACEMENT CHARACTER}"), (4, "größer"), (5, "five")),
    ]
    page = run_records.log_lines(tables, PERMIT, 1, "stdout", 1, 2)
    assert [line["line"] for line in page] == [2, 3]
    assert run_records.log_lines(tables, PERMIT, 1, "stderr", 0, 100) == []


BAD: dict[str, bytes] = {
    "a measurement of no node": Frame(
        2,
        Kind.HARDWARE,
        pack_metrics([Column("loss", array("q", [1]), array("d", [1.0]), array("q", [1]))]),
    ).to_bytes(),
    "no frame": b"?",
    "no metrics": Frame(2, Kind.METRICS, b"\x01\x00").to_bytes(),
    "a key with NUL": Frame(
        2,
        Kind.METRICS,
        pack_metrics([Column("a\0", array("q", [1]), array("d", [1.0]), array("q", [1]))]),
    ).to_bytes(),
    "a key too long for an index": Frame(
        2,
        Kind.METRICS,
        pack_metrics(
            [
                Column(
                    "".join(map(chr, random.Random(1).choices(range(33, 50_000), k=6000))),
                    *(array("q", [1]), array("d", [1.0]), array("q", [1])),
                )
            ]
        ),
    ).to_bytes(),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_frame_holds_back_its_attempt_and_nobody_else(lab: Lab, what: str) -> None:
    bad, good = Sender(lab), Sender(lab, new_id("run"))
    for sender in (bad, good):
        for step in range(3):
            column = Column("loss", array("q", [step]), array("d", [1.0]), array("q", [step]))
            sender.metrics([column])
    await bad.send(0, 1)
    await lab.publish(f"{bad.place}.m", BAD[what])
    await bad.send(2, 3)
    await good.send(0, 3)
    tables = lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(tables))
    buried = tables.execute("SELECT position, entity FROM dead_letter ORDER BY 1").fetchall()
    assert buried == [(2, f"{RUN}/1"), (3, f"{RUN}/1")]
    assert run_records.points_stored(tables, PERMIT, 1) == 1
    other = Permit("run", good.place.split(".")[4])
    assert run_records.points_stored(tables, other, 1) == 3
