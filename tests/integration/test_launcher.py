"""The launcher with real environments, real processes and a real file server."""

import fcntl
import json
import os
import signal
import stat
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hansard.formats.frames import Kind, unpack_metrics
from hansard.formats.series_root import SeriesRoot
from infra.environments.locks import Lock
from infra.environments.store import EnvironmentStore, sdk_wheel
from infra.environments.variants import packed
from tests.integration.artifact_box import content_of
from tests.integration.node_box import DEADLINE_S, STUBBORN, Node, dead, job, node, points, until
from workers.launcher import EXIT_REFUSED


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


MODEL = """
class Mean(hansard.Model):
    def __init__(self):
        self.value = 1.5
    def save(self, folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "mean.json").write_text(str(self.value))
    def load(self, folder):
        self.value = float((folder / "w.json").read_text())
"""
USES_MODEL = """
class Job(hansard.Executor):
    model: hansard.Slot[hansard.Model]
    def execute(self):
        self.model.value += 1
        for step in range(1000):
            hansard.log_metric("loss", 1.0 / (step + 1))
        hansard.log_params({"width": 3})
        hansard.log_text("sample", "a text")
        print("done")
        return {"value": self.model.value, "bad": float("nan")}
"""


def test_a_successful_step_tells_everything_in_order(box: Node) -> None:
    content = content_of(box.server.artifacts, {"w.json": b"40.5"})
    slot = box.bundle(MODEL, "Mean", "model") | {"content": content, "weights": [], "keep": True}
    spec = box.spec(USES_MODEL, slots={"model": slot})

    end = box.run(spec)

    states = [status["state"] for status in box.statuses(spec)]
    assert [state for state in states if state != "preparing"] == ["starting", "running", "ended"]
    assert (end["outcome"], end["results"]) == ("succeeded", {"value": 41.5, "bad": "NaN"})
    assert (end["logged"], end["texts"][0]["text"]) == ({"width": 3}, "a text")
    assert end["metric_points"] == 1000
    assert points(box.frames(spec))["loss"] == [(n, 1.0 / (n + 1)) for n in range(1000)]
    assert box.lines(spec) == {1: "done"}
    (output,) = end["outputs"]
    assert (output["slot"], output["content"]["size"]) == ("model", 4)
    assert box.server.artifacts.files(output["artifact"]) == {"sub/mean.json": b"41.5"}
    assert (end["items_lost"], end["items_refused"], end["read"]) == (0, [], [])
    assert [frame.seq for frame in box.frames(spec)] == list(range(1, len(box.frames(spec)) + 1))


def test_weights_of_before_there_were_artifacts_are_laid_out_too(box: Node) -> None:
    files = [{"path": "w.json", "digest": box.keep(b"40.5"), "size": 4}]
    slot = box.bundle(MODEL, "Mean", "model") | {"content": None, "weights": files, "keep": False}
    end = box.run(box.spec(USES_MODEL, slots={"model": slot}))
    assert (end["outcome"], end["results"]["value"]) == ("succeeded", 41.5)


def test_datasets_are_read_only_files_and_what_was_read_is_told(box: Node) -> None:
    content = content_of(box.server.artifacts, {"sub/a.csv": b"1,2", "b.csv": b"3"})
    given = {"version": "version-1", "content": content, "mode": "copy"}
    body = (
        'paths = hansard.dataset_paths("train")\n'
        "modes = [path.stat().st_mode & 0o777 for path in paths]\n"
        'return {"text": [path.read_text() for path in paths], "modes": modes}'
    )
    spec = box.spec(job(body), datasets={"train": given, "unused": given})
    end = box.run(spec)
    assert end["results"] == {"text": ["3", "1,2"], "modes": [0o444, 0o444]}
    [read] = end["read"]
    assert (read["dataset"], read["version"]) == ("train", "version-1")


def test_a_damaged_artifact_is_an_infrastructure_error(box: Node) -> None:
    content = content_of(box.server.artifacts, {"a": b"1"}) | {"root": "0" * 64}
    slot = box.bundle(MODEL, "Mean", "model") | {"content": content, "weights": [], "keep": False}
    end = box.run(box.spec(USES_MODEL, slots={"model": slot}))
    assert end["outcome"] == "error"
    assert "not the content" in end["reason"]


def test_an_output_of_a_kind_that_is_not_kept_fails_the_run_and_says_why(box: Node) -> None:
    box.server.artifacts.refused = (".json",)
    content = content_of(box.server.artifacts, {"w.json": b"40.5"})
    slot = box.bundle(MODEL, "Mean", "model") | {"content": content, "weights": [], "keep": True}
    end = box.run(box.spec(USES_MODEL, slots={"model": slot}))
    assert (end["outcome"], end["outputs"]) == ("failed", [])
    assert end["reason"] == "output of slot `model`: `sub/mean.json` is not accepted: bad"


def test_the_root_is_that_of_the_points_told(box: Node) -> None:
    spec = box.spec(job('for n in range(9000): hansard.log_metric(f"k{n % 20}", n)'))
    end = box.run(spec)
    root = SeriesRoot()
    for frame in box.frames(spec):
        if frame.kind is Kind.METRICS:
            for column in unpack_metrics(frame.payload):
                root.add(column.key, column.steps, column.values, column.times)
    assert (end["metric_points"], end["series_root"]) == (9000, root.root())


def test_a_step_sees_the_listed_variables_only_and_no_token(box: Node) -> None:
    source = "import os\n" + job('print("\\n".join(sorted(os.environ)))\nreturn dict(os.environ)')
    spec = box.spec(source)
    end = box.run(spec)
    assert end["results"] == box.statuses(spec)[-2]["variables"] | {
        name: end["results"][name] for name in ("LC_CTYPE",) if name in end["results"]
    }
    assert spec.token not in json.dumps(box.statuses(spec))
    assert not list(box.root.glob("spec-*.json"))


def test_an_exception_is_a_failure_with_its_traceback(box: Node) -> None:
    end = box.run(box.spec(job('raise ValueError("no such thing")')))
    assert (end["outcome"], end["exit_code"]) == ("failed", 1)
    assert end["reason"] == "ValueError: no such thing"
    assert "main.py" in end["failure"]["traceback"]


def test_exit_0_without_a_result_is_a_failure(box: Node) -> None:
    end = box.run(box.spec("import os\n" + job("os._exit(0)")))
    assert (end["outcome"], end["exit_code"]) == ("failed", 0)
    assert "no result" in end["reason"]


@pytest.mark.parametrize(("name", "word"), [("SIGSEGV", "SIGSEGV"), ("SIGKILL", "memory")])
def test_death_by_a_signal_is_a_failure_that_names_it(box: Node, name: str, word: str) -> None:
    end = box.run(box.spec("import os, signal\n" + job(f"os.kill(os.getpid(), signal.{name})")))
    assert (end["outcome"], end["signal"]) == ("failed", getattr(signal, name))
    assert word in end["reason"]


def test_a_step_that_ignores_sigterm_is_killed_when_cancelled(box: Node) -> None:
    spec = box.spec(STUBBORN)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    end = box.statuses(spec)[-1]
    assert (end["outcome"], end["signal"]) == ("cancelled", signal.SIGKILL)


def test_sigterm_to_the_launcher_lets_the_step_clean_up(box: Node) -> None:
    source = "import time\n" + job(
        'print("begun")\ntry:\n    time.sleep(60)\nexcept hansard.Cancelled:\n'
        '    print("cleaned")\n    raise'
    )
    spec = box.spec(source, grace_s=20)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    launcher.terminate()
    launcher.communicate(timeout=DEADLINE_S)
    assert box.statuses(spec)[-1]["outcome"] == "cancelled"
    assert box.lines(spec)[2] == "cleaned"


def test_a_step_that_takes_too_long_fails_with_its_wall_time(box: Node) -> None:
    end = box.run(box.spec("import time\n" + job("time.sleep(60)"), wall_time_s=0.5))
    assert end["outcome"] == "failed"
    assert end["reason"].startswith("wall-time")


def test_an_old_dispatcher_is_refused(box: Node) -> None:
    box.run(box.spec(job("pass"), fence=5))
    late = box.spec(job("pass"), fence=4)
    process = box.start(late)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == EXIT_REFUSED
    assert b"fence 4" in errors
    assert not box.folder(late).path.exists()


def test_an_attempt_is_launched_at_most_once(box: Node) -> None:
    spec = box.spec(job('print("once")'))
    box.run(spec)
    process = box.start(spec)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == EXIT_REFUSED
    assert box.lines(spec) == {1: "once"}


def test_a_platform_that_restarts_is_waited_for(box: Node) -> None:
    box.server.failures = 3
    assert box.run(box.spec(job("pass")))["outcome"] == "succeeded"


def test_a_platform_that_refuses_is_an_infrastructure_error(box: Node) -> None:
    end = box.run(box.spec(job("pass"), token="another-token"))
    assert (end["outcome"], end["metric_points"]) == ("error", None)
    assert "404" in end["reason"]
    assert "another-token" not in json.dumps(end)


def test_a_bundle_damaged_in_the_cache_is_fetched_again(box: Node) -> None:
    spec = box.spec(job("pass"))
    box.run(spec)
    cached = box.root / "bundles" / spec.executor["bundle"]
    cached.write_bytes(b"damaged")
    again = box.spec(job("pass"))
    assert again.executor == spec.executor
    assert box.run(again)["outcome"] == "succeeded"
    assert cached.read_bytes() != b"damaged"


def test_an_environment_that_cannot_be_built_fails_the_run(box: Node) -> None:
    bad = json.dumps({"text": "", "python": "3.11", "variant": "cpu", "sdk": "0" * 64})
    end = box.run(box.spec(job("pass"), lock=box.keep(bad.encode())))
    assert end["outcome"] == "failed"
    assert "environment" in end["reason"]


def test_a_step_with_a_gpu_gets_the_lock_that_its_node_takes(box: Node) -> None:
    pinned = json.loads((box.server.root / box.lock).read_bytes())
    ours = [{**pinned, "variant": variant} for variant in ("cpu", "cu130")]
    spec = box.spec(job("pass"), lock=box.keep(packed(ours[:1])), gpus=1)
    box.run(spec)
    assert box.statuses(spec)[0]["facts"]["variant"] == "cpu"
    end = box.run(box.spec(job("pass"), lock=box.keep(packed(ours[1:])), gpus=1))
    assert (end["outcome"], "locked for builds cu130" in end["reason"]) == ("failed", True)


def test_an_environment_in_use_is_not_evicted(box: Node) -> None:
    spec = box.spec(STUBBORN)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    store = EnvironmentStore(box.environments, sdk_wheel(box.environments))
    in_use = box.statuses(spec)[-1]["environment"]["environment"]
    assert in_use not in store.evict(0)
    assert (box.environments / "built" / in_use).exists()
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)


def test_a_cancel_does_not_wait_for_an_environment(box: Node) -> None:
    pinned = Lock(**json.loads((box.server.root / box.lock).read_bytes()))
    slow = replace(pinned, variant="slow")
    spec = box.spec(job("pass"), lock=box.keep(json.dumps(asdict(slow)).encode()))
    with (box.environments / "locks" / f"{slow.digest}.lock").open("w") as builder:
        fcntl.flock(builder, fcntl.LOCK_EX)  # as if another launcher were building it
        launcher = box.start(spec)
        until(lambda: [s for s in box.statuses(spec) if s["state"] == "preparing"])
        box.folder(spec).cancel.touch()
        launcher.communicate(timeout=DEADLINE_S)
    assert box.statuses(spec)[-1]["outcome"] == "cancelled"


def test_a_dead_launcher_takes_the_step_with_it(box: Node) -> None:
    spec = box.spec(STUBBORN)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    pid = box.statuses(spec)[-1]["pid"]
    launcher.kill()
    launcher.communicate()
    until(lambda: dead(pid))


def test_the_attempt_folder_is_for_its_owner_only(box: Node) -> None:
    spec = box.spec(job("pass"))
    box.run(spec)
    for path in (box.folder(spec).step, box.folder(spec).outbox):
        assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0
