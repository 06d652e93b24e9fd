"""SIGKILL of each process in turn while a run logs: nothing is lost, nothing comes twice, the run
ends in one truthful state, and the platform recovers without a hand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import hansard
from tests.e2e.platform import PARTS, Up, alive_of, eventually, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

POINTS = 400
PAUSE_S = 0.01
TERMINAL = {f"run.{end}.v1" for end in ("succeeded", "failed", "cancelled", "lost")}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with platform(tmp_path_factory.mktemp("kills") / "data", "local") as up, up.client() as client:
        client.push(PARTS / "ticker")
        yield up


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with platform(tmp_path_factory.mktemp("ray") / "d", "ray") as up, up.client() as client:
        client.push(PARTS / "ticker")
        yield up


def a_running_run(client: hansard.Client, points: int = POINTS) -> hansard.Run:
    """A run whose step has begun to log."""
    run = client.run("ticker", parameters={"points": points, "pause": PAUSE_S})
    eventually(lambda: client.runs.metrics(run.id), "the first metric", 60)
    return run


def all_series(client: hansard.Client, run: hansard.Run) -> hansard.SeriesSet:
    """The run's series, once every point of it is in the read model."""

    def look() -> hansard.SeriesSet | None:
        found = client.series(run.id, max_points=20_000)
        return found if found.complete else None

    return eventually(look, "all points in the read model")


def check_whole(up: Up, client: hansard.Client, run: hansard.Run, points: int = POINTS) -> None:
    """The run succeeded, and every point and line of its last attempt is there once, in order."""
    assert run.status == "succeeded", run.reason
    assert run.metric_points == 2 * points
    series = all_series(client, run)
    for item in series.items:
        assert item.points == points
        assert list(item.step) == list(range(points))
    lines = [line.text for line in client.runs.logs(run.id)]
    assert lines == [f"line {n}" for n in range(points)]
    topics = [event["topic"] for event in up.get("/v1/events", entity=run.id, limit=500)["items"]]
    assert [topic for topic in topics if topic in TERMINAL] == ["run.succeeded.v1"]


@pytest.mark.parametrize(
    "words",
    [
        ("nats-server",),
        ("postgres", "-D"),
        ("projections.main",),
        ("workers.main",),
        ("workers.agent",),
        ("api.main",),
    ],
    ids=["nats-server", "postgres", "projector", "dispatcher", "agent", "api"],
)
def test_a_killed_server_is_replaced_and_the_run_goes_on(up: Up, words: tuple[str, ...]) -> None:
    with up.client() as client:
        run = a_running_run(client)
        victim = up.find(*words)
        victim.kill()
        run = client.wait(run, timeout_s=60)
        check_whole(up, client, run)
        assert run.attempt == 1
        successor = up.find(*words)
        assert successor.pid != victim.pid
    assert up.command("audit", "verify")["intact"]


def test_a_killed_step_fails_its_run_and_keeps_what_it_logged(up: Up) -> None:
    with up.client() as client:
        run = a_running_run(client)
        up.find("hansard.runner").kill()
        run = client.wait(run, timeout_s=30)
        assert run.status == "failed"
        assert "SIGKILL" in str(run.reason)
        series = all_series(client, run)
        assert sum(item.points for item in series.items) == run.metric_points


def test_a_killed_launcher_takes_its_step_along_and_the_run_is_tried_again(up: Up) -> None:
    with up.client() as client:
        run = a_running_run(client)
        step = up.find("hansard.runner")
        up.find("workers.launcher").kill()
        eventually(
            lambda: not step.is_running() or step.status() == psutil.STATUS_ZOMBIE, "its end"
        )
        run = client.wait(run, timeout_s=60)
        check_whole(up, client, run)
        assert run.attempt == 2


def test_a_run_is_cancelled_while_everything_is_killed_around_it(up: Up) -> None:
    with up.client() as client:
        run = a_running_run(client, points=100_000)
        up.find("workers.main").kill()
        client.runs.cancel(run.id, "enough")
        run = client.wait(run, timeout_s=30)
        assert run.status == "cancelled"


def test_a_killed_ray_worker_is_tried_again(ray: Up) -> None:
    check_retried(ray, lambda: ray.find("ray::run-"))


def test_a_killed_ray_driver_is_replaced_and_the_run_tried_again(ray: Up) -> None:
    check_retried(ray, lambda: ray.find("workers.ray_driver"))


def test_a_killed_ray_head_is_replaced_and_the_run_tried_again(ray: Up) -> None:
    check_retried(ray, lambda: ray.find("gcs_server"))


def check_retried(up: Up, victim: Callable[[], psutil.Process]) -> None:
    with up.client() as client:
        run = a_running_run(client)
        victim().kill()
        run = client.wait(run, timeout_s=120)
        check_whole(up, client, run)
        assert run.attempt == 2


def test_a_dispatcher_killed_on_ray_leaves_the_attempt_running(ray: Up) -> None:
    with ray.client() as client:
        run = a_running_run(client)
        ray.find("workers.main").kill()
        run = client.wait(run, timeout_s=60)
        check_whole(ray, client, run)
        assert run.attempt == 1


def test_sigkill_of_hansard_up_ends_everything_it_started(tmp_path: Path) -> None:
    with platform(tmp_path / "data", "local") as up, up.client() as client:
        client.push(PARTS / "ticker")
        a_running_run(client, points=100_000)
        started = up.processes()
        assert any("hansard.runner" in " ".join(process.cmdline()) for process in started)
        up.process.kill()
        up.process.wait()
        eventually(lambda: not alive_of(started), "the end of all processes", 20)


def test_a_run_cut_off_by_a_stop_is_tried_again_by_the_next_platform(tmp_path: Path) -> None:
    with platform(tmp_path / "data", "local") as up, up.client() as client:
        client.push(PARTS / "ticker")
        run = a_running_run(client)
    with platform(tmp_path / "data", "local") as up, up.client() as client:
        run = client.wait(run, timeout_s=60)
        check_whole(up, client, run)
        assert run.attempt == 2
