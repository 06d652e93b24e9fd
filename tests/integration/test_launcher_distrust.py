"""The launcher against what a step may write, on purpose or not: lines, results, outputs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.node_box import Node, job, node


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


def test_a_flood_of_lines_is_told_or_counted_as_dropped(box: Node) -> None:
    spec = box.spec(job("for n in range(1_000_000): print(n)"))
    end = box.run(spec)
    assert end["outcome"] == "succeeded"
    told = box.lines(spec)
    dropped = [line for line in told.values() if "dropped" in line]
    counted = sum(int(line.split()[1]) for line in dropped)
    assert len(told) - len(dropped) + counted == 1_000_000
    assert all(line == str(n - 1) for n, line in told.items() if "dropped" not in line)
    assert dropped


def test_a_line_of_100_mb_is_cut_and_says_so(box: Node) -> None:
    spec = box.spec(job('print("x" * 100_000_000)\nprint("after")'))
    box.run(spec)
    first, second = box.lines(spec).values()
    assert first.startswith("xxx")
    assert first.endswith("[hansard: 99983616 bytes cut]")
    assert second == "after"


def test_bytes_that_are_no_text_are_replaced(box: Node) -> None:
    spec = box.spec("import os\n" + job('os.write(2, b"a\\xffb\\n\\0no end")'))
    box.run(spec)
    assert box.lines(spec, "stderr") == {1: "a\ufffdb", 2: "\0no end"}


def saving(body: str) -> str:
    return f"""
import os
class Bad(hansard.Model):
    def save(self, folder):
        (folder / "fine").write_text("x")
        os.environ["FOLDER"] = str(folder)
class Job(hansard.Executor):
    model: hansard.Slot[hansard.Model]
    def execute(self):
        import atexit
        atexit.register(self.late)
    def late(self):
        folder = os.environ["FOLDER"]
        {body}
"""


@pytest.mark.parametrize(
    "body",
    [
        'os.symlink("/etc/passwd", folder + "/link")',
        'os.rename(folder, folder + "-moved"); os.symlink("/etc", folder)',
        'os.mkfifo(folder + "/pipe")',
        'open(folder + "/FINE", "w").close()',
        'open(folder + "/back\\\\..\\\\slash", "w").close()',
    ],
)
def test_outputs_that_are_no_plain_files_are_refused(box: Node, body: str) -> None:
    source = saving(body)
    slot = box.bundle(source, "Bad", "model") | {"content": None, "weights": [], "keep": True}
    end = box.run(box.spec(source, slots={"model": slot}))
    assert end["outcome"] == "failed"
    assert "model" in end["reason"] or "link" in end["reason"] or "plain file" in end["reason"]
    assert end["outputs"] == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('os.remove("result.json"); os.symlink("/etc/hostname", "result.json")', "cannot be read"),
        ('open("result.json", "w").write("[" * 100000)', "not JSON"),
        ('open("result.json", "w").write(" " * 2**21)', "more than"),
        ('os.remove("result.json"); os.mkfifo("result.json")', "not a plain file"),
    ],
)
def test_a_result_the_runner_did_not_write_is_refused(box: Node, body: str, reason: str) -> None:
    source = f"import atexit, os\ndef late():\n    {body}\n" + job("atexit.register(late)")
    end = box.run(box.spec(source))
    assert end["outcome"] == "failed"
    assert reason in end["reason"]


def test_damaged_metric_files_fail_the_run_and_leave_it_unproven(box: Node) -> None:
    source = "import glob\n" + job(
        'hansard.log_metric("a", 1)\nopen(glob.glob("points.*.seg")[0], "r+b").write(b"nonsense")'
    )
    end = box.run(box.spec(source))
    assert (end["outcome"], end["metric_points"]) == ("failed", None)
    assert "metric files" in end["reason"]
