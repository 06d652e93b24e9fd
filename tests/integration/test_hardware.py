"""What a node measures of a step: told by the launcher, folded apart from the run's metrics."""

import os
from array import array
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hansard.formats.columns import Column, pack_metrics
from hansard.formats.frames import Frame, Kind, unpack_metrics
from hansard.formats.ids import new_id
from policies.access import Permit
from projections import compaction, run_records
from projections.series import read_series
from tests.integration.conftest import Servers
from tests.integration.lab import Lab, catch_up, compacted
from tests.integration.lab import lab as open_lab
from tests.integration.node_box import Node, node

BUSY = """
import subprocess, sys, time
from pathlib import Path
class Job(hansard.Executor):
    def execute(self):
        Path("large").write_bytes(bytes(8 << 20))
        held = bytearray(64 << 20)
        burn = "import time; t = time.time()\\nwhile time.time() < t + 3: pass"
        with subprocess.Popen([sys.executable, "-c", burn]):
            hansard.log_metric("n", 1)
        return {"held": len(held)}
"""


RUN = new_id("run")
PERMIT = Permit("run", RUN)


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path, tmp_path / "envs") as made:
        yield made


def test_what_the_step_takes_of_the_node_is_told_beside_its_points(box: Node) -> None:
    spec = box.spec(BUSY)
    end = box.run(spec)
    assert end["outcome"] == "succeeded", end
    assert end["metric_points"] == 1
    told = [
        {column.key: column.values[0] for column in unpack_metrics(frame.payload)}
        for frame in box.frames(spec)
        if frame.kind is Kind.HARDWARE
    ]
    assert len(told) >= 2
    last = told[-1]
    assert last["system/cpu_seconds"] > 0.3
    percents = [each["system/cpu_percent"] for each in told[1:]]
    assert 5 < max(percents) < 110 * (os.cpu_count() or 1)  # the kernel counts in ticks of 10 ms
    assert last["system/memory_mb"] > 64
    assert last["system/processes"] >= 2
    assert last["system/disk_mb"] >= 8
    assert last["system/write_mb"] >= 0
    assert not any(key.startswith("system/gpu") for key in last)


async def test_what_a_node_measures_is_kept_apart_from_what_the_run_logged(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{lab.telemetry}.n.p.e.{RUN}.1"
    for step in range(4):
        point = array("q", [step]), array("d", [float(step)]), array("q", [step])
        logged_then = pack_metrics([Column("loss", *point)])
        taken = [Column("system/cpu_percent", *point), Column("system/x", *point)]
        frames = {
            "m": Frame(2 * step + 1, Kind.METRICS, logged_then),
            "h": Frame(2 * step + 2, Kind.HARDWARE, pack_metrics(taken)),
        }
        for letter, frame in frames.items():
            await lab.publish(f"{place}.{letter}", frame.to_bytes())
    tables = lab.tables(lab.schema())
    catch_up(lab.telemetry_follower(tables))
    for _ in ("in the tail", "compacted"):
        logged = read_series(tables, PERMIT, 1, None, 100)
        measured = read_series(tables, PERMIT, 1, None, 100, measured=True)
        assert [(each.key, each.points) for each in logged] == [("loss", 4)]
        assert [each.key for each in measured] == ["system/cpu_percent", "system/x"]
        assert measured[0].last.tolist() == [0.0, 1.0, 2.0, 3.0]
        assert read_series(tables, PERMIT, 1, ["system/x"], 100) == []
        (one,) = read_series(tables, PERMIT, 1, ["system/x"], 100, measured=True)
        assert one.points == 4
        monkeypatch.setattr(compaction, "MAX_TAIL_FRAMES", 1)
        compacted(tables)
    assert run_records.points_stored(tables, PERMIT, 1) == 4
    assert [item["key"] for item in run_records.latest_metrics(tables, PERMIT)] == ["loss"]
