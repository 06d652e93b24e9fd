"""What steps log as files: uploaded while they run, told in frames, lost only with a count."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hansard.formats.frames import Item, Kind, unpack_items
from tests.integration.node_box import DEADLINE_S, Node, job, node, until
from workers.launch_spec import LaunchSpec


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


def told(box: Node, spec: LaunchSpec) -> list[tuple[str, Item]]:
    """The items in the outbox, each with its artifact."""
    batches = [unpack_items(f.payload) for f in box.frames(spec) if f.kind is Kind.ITEMS]
    return [(batch.artifact, item) for batch in batches for item in batch.items]


def content(box: Node, artifact: str, item: Item) -> bytes:
    return box.server.artifacts.files(artifact)[item.path]


LOGS = """
with open("note.txt", "w") as file:
    file.write("hello")
hansard.log_file("note.txt", step=3)
hansard.log_histogram("weights", [1.0, 2.0, float("nan")], bins=2)
hansard.log_file("note.txt", "again")
"""


def test_items_of_a_step_are_kept_and_told_before_its_end(box: Node) -> None:
    spec = box.spec(job(LOGS))
    end = box.run(spec)
    assert (end["outcome"], end["items_lost"]) == ("succeeded", 0)
    (note_at, note), (_, histogram), (again_at, again) = told(box, spec)
    assert (note.number, note.name, note.kind, note.step) == (1, "note.txt", "file", 3)
    assert (note.size, note.media, note.meta) == (5, "text/plain", {"filename": "note.txt"})
    assert (histogram.kind, histogram.step, again.name) == ("histogram", None, "again")
    assert content(box, note_at, note) == b"hello"
    assert (again_at, again.path) == (note_at, note.path)
    assert box.frames(spec)[-1].kind is Kind.STATUS


def test_items_arrive_while_the_step_runs(box: Node) -> None:
    source = "import time\n" + job('hansard.log_table("t", {"a": [1]})\ntime.sleep(60)')
    spec = box.spec(source)
    launcher = box.start(spec)
    until(lambda: told(box, spec))
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    assert box.statuses(spec)[-1]["outcome"] == "cancelled"


def test_items_of_a_step_that_fails_are_kept(box: Node) -> None:
    spec = box.spec(job('hansard.log_table("t", {"a": [1]})\nraise ValueError("no")'))
    assert box.run(spec)["outcome"] == "failed"
    assert [item.name for _, item in told(box, spec)] == ["t"]


def test_what_the_platform_does_not_keep_is_named_and_the_rest_kept(box: Node) -> None:
    box.server.artifacts.refused = (".pkl",)
    body = 'open("m.pkl", "w").write("x")\nhansard.log_file("m.pkl")\nhansard.log_table("t", {})'
    spec = box.spec(job(body))
    end = box.run(spec)
    assert (end["outcome"], end["items_lost"]) == ("succeeded", 1)
    assert end["items_refused"] == [{"name": "m.pkl", "reason": "bad"}]
    assert [item.name for _, item in told(box, spec)] == ["t"]


def test_items_that_cannot_be_uploaded_are_counted_when_the_attempt_ends(box: Node) -> None:
    source = "import time\n" + job(
        'time.sleep(1)\nfor n in range(3):\n    hansard.log_table(f"t{n}", {"a": [n]})\n'
        'print("logged")\ntime.sleep(60)'
    )
    spec = box.spec(source)
    launcher = box.start(spec)
    until(lambda: box.statuses(spec)[-1:] and box.statuses(spec)[-1]["state"] == "running")
    box.server.failures = 10**6  # the platform is away from here on
    until(lambda: box.lines(spec))
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    end = box.statuses(spec)[-1]
    assert (end["outcome"], end["items_lost"], told(box, spec)) == ("cancelled", 3, [])


HOSTILE = """
import hashlib, json, os, time
class Job(hansard.Executor):
    def execute(self):
        os.mkdir("items")
        self.number = 0
        fine = self.put(b"fine")
        self.line(fine)
        self.line(fine | {"name": ""})
        self.line(fine | {"name": "a\\x01"})
        self.line(fine | {"kind": "exe"})
        self.line(fine | {"size": 5})
        self.line(fine | {"size": True})
        self.line(fine | {"step": 2**70})
        self.line(fine | {"file": "/etc/passwd", "size": os.path.getsize("/etc/passwd")})
        self.line(fine | {"file": "items/../step.json"})
        self.line(fine | {"media": "text/html; x"})
        self.line(fine | {"meta": [1]})
        self.line(fine | {"time": float("nan")})
        link = "items/" + "a" * 64 + ".txt"
        os.symlink("/etc/hostname", link)
        self.line(fine | {"file": link, "size": os.lstat(link).st_size})
        pipe = "items/" + "b" * 64 + ".txt"
        os.mkfifo(pipe)
        self.line(fine | {"file": pipe, "size": 0})
        self.raw(b"no json")
        self.raw(b"[" * 60000)
        self.raw(b"x" * 5_000_000)
        self.line(fine | {"name": "last", "meta": {"n": "\\x00"}})
        self.raw_part(b'{"half a line"')
    def put(self, data):
        path = "items/" + hashlib.sha256(data).hexdigest() + ".txt"
        open(path, "wb").write(data)
        return {"name": "n", "kind": "file", "step": None, "time": time.time(), "file": path,
                "media": "text/plain", "size": len(data), "meta": {}}
    def line(self, item):
        self.raw(json.dumps(item).encode())
    def raw(self, data):
        self.raw_part(data + b"\\n")
    def raw_part(self, data):
        with open("items.jsonl", "ab") as file:
            file.write(data)
"""


def test_a_list_that_lies_yields_only_what_is_true_and_counts_the_rest(box: Node) -> None:
    spec = box.spec(HOSTILE)
    end = box.run(spec)
    assert end["outcome"] == "succeeded"
    found = told(box, spec)
    assert [(item.name, item.number) for _, item in found] == [("n", 1), ("last", 18)]
    assert end["items_lost"] == 16
    assert [content(box, *each) for each in found] == [b"fine", b"fine"]
    assert "\0" not in json.dumps(found[1][1].meta)


@pytest.mark.parametrize(
    "body",
    [
        'os.symlink("/etc/passwd", "items.jsonl")',
        'os.mkfifo("items.jsonl")',
        'os.mkdir("items.jsonl")',
        'os.symlink("/etc", "items")\nopen("items.jsonl", "w").write("{}\\n")',
        'open("items.jsonl", "w").truncate(2**33)',
    ],
)
def test_a_list_that_is_no_plain_file_costs_nothing(box: Node, body: str) -> None:
    end = box.run(box.spec("import os\n" + job(body)))
    assert end["outcome"] == "succeeded"


def test_a_folder_of_contents_that_leads_elsewhere_is_not_followed(box: Node) -> None:
    body = """
hansard.log_table("t", {"a": [1]})
os.rename("items", "moved")
os.symlink("moved", "items")
"""
    spec = box.spec("import os\n" + job(body))
    end = box.run(spec)
    # The upload may have been faster than the step: then the item was kept before.
    assert len(told(box, spec)) + end["items_lost"] == 1
