"""Runs in this process where no platform answers: all that happens lies in the spool."""

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import hansard
from hansard.formats.columns import unpack_metrics
from hansard.formats.frames import Frame, Kind, unpack_status
from hansard.formats.outbox import read_from
from hansard.tracking.recorder import Recorder
from hansard.tracking.spool import Delivered, Spool, spools


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spool of one's own, and nobody to deliver it to."""
    for name in ("HANSARD_URL", "HANSARD_TOKEN", "HANSARD_STEP_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HANSARD_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("HANSARD_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def frames(spool: Spool) -> list[Frame]:
    return [frame for frame, _ in read_from(spool.outbox)]


def ending(spool: Spool) -> dict[str, Any]:
    found = unpack_status(frames(spool)[-1].payload)
    assert found["state"] == "ended"
    return found


def test_what_is_logged_inside_lies_in_the_spool_in_order(root: Path) -> None:
    def story() -> str:
        with hansard.start_run("try", {"lr": 0.1}, tags={"a": "b"}) as run:
            for step in range(5000):
                hansard.log_metric("loss", float(step))
            hansard.log_text("sample", "so it begins")
            run.note("looks good")
            run.result(best=4999.0)
        return run.id

    with pytest.warns(RuntimeWarning, match="waits for `hansard sync`"):
        run_id = story()
    [spool] = spools(root)
    assert spool.path.name == run_id
    assert (spool.facts().name, spool.facts().tags) == ("try", {"a": "b"})
    assert [frame.seq for frame in frames(spool)] == list(range(1, len(frames(spool)) + 1))
    points = [
        (step, value)
        for frame in frames(spool)
        if frame.kind is Kind.METRICS
        for column in unpack_metrics(frame.payload)
        for step, value in zip(column.steps, column.values, strict=True)
    ]
    assert points == [(step, float(step)) for step in range(5000)]
    end = ending(spool)
    assert (end["outcome"], end["metric_points"], end["results"]) == (
        *("succeeded", 5000),
        {"best": 4999.0},
    )
    assert end["logged"] == {"lr": 0.1}
    assert [(text["name"], text["text"]) for text in end["texts"]] == [
        ("sample", "so it begins"),
        ("note", "looks good"),
    ]


def test_an_exception_goes_on_and_is_told_with_its_traceback(root: Path) -> None:
    def story() -> None:
        with hansard.start_run("try"):
            _ = 1 // 0

    with pytest.warns(RuntimeWarning, match="hansard sync"), pytest.raises(ZeroDivisionError):
        story()
    end = ending(spools(root)[0])
    assert (end["outcome"], end["failure"]["type"]) == ("failed", "ZeroDivisionError")
    assert "1 // 0" in end["failure"]["traceback"]


def test_leaving_with_status_0_is_a_success_and_with_another_none(root: Path) -> None:
    def story(code: int) -> None:
        with warnings.catch_warnings(), hansard.start_run("try"):
            sys.exit(code)

    for code, outcome in ((0, "succeeded"), (3, "failed")):
        with pytest.warns(RuntimeWarning, match="hansard sync"), pytest.raises(SystemExit):
            story(code)
        assert ending(spools(root)[-1])["outcome"] == outcome


def test_runs_do_not_nest_and_logging_stops_behind_one(root: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with hansard.start_run("one"), pytest.raises(RuntimeError, match="already"):
            hansard.start_run("two").__enter__()
        before = len(frames(spools(root)[0]))
        hansard.log_metric("loss", 1.0)
    assert "HANSARD_STEP_DIR" not in os.environ
    assert len(spools(root)) == 1
    assert len(frames(spools(root)[0])) == before
    with pytest.raises(TypeError):
        hansard.start_run("odd", {"x": object()})


KILLED = """
import os, time, hansard
with hansard.start_run("try"):
    for step in range(10_000):
        hansard.log_metric("loss", float(step))
        if step == 5_000:
            time.sleep(1.5)
    os.kill(os.getpid(), 9)
"""


def test_a_killed_process_leaves_every_point_and_a_lock_that_is_free(root: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED], env=dict(os.environ), check=False)
    assert ended.returncode == -9
    [spool] = spools(root)
    with spool.held() as held:
        assert held
        for _ in range(2):  # whoever looks again finds nothing new
            with Recorder(spool) as recorder:
                if not recorder.ended:
                    recorder.end("lost", "killed")
    steps = [
        step
        for frame in frames(spool)
        if frame.kind is Kind.METRICS
        for column in unpack_metrics(frame.payload)
        for step in column.steps
    ]
    assert steps == list(range(10_000))
    end = ending(spool)
    assert (end["outcome"], end["metric_points"]) == ("lost", None)


def test_the_lock_of_a_run_that_goes_on_is_held_and_marks_are_kept(root: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with hansard.start_run("try"):
            [spool] = spools(root)
            with spool.held() as held:
                assert not held
    spool.mark(Delivered("http://here", 12))
    assert spool.delivered() == Delivered("http://here", 12)
    (spool.step / "items").mkdir()
    assert not spool.remove()
    assert spools(root) == []
