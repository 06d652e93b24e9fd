"""The launcher runs code that extends a version: the files of all layers, the upper in front."""

from pathlib import Path

from hansard.formats.bundle import Base, pack, read
from tests.integration.node_box import node

JOB = """
import hansard
from layers import WIDTH
import extra

class Job(hansard.Executor):
    def execute(self):
        return {"width": WIDTH, "depth": extra.DEPTH}
"""
VERSION = "version-01900000-0000-7000-8000-000000000001"


def test_a_step_sees_the_files_of_all_layers(tmp_path: Path) -> None:
    below, above = tmp_path / "below", tmp_path / "above"
    for folder in (below, above):
        folder.mkdir()
    (below / "job.py").write_text(JOB)
    (below / "layers.py").write_text("WIDTH = 8\n")
    (below / "extra.py").write_text("DEPTH = 2\n")
    (above / "layers.py").write_text("WIDTH = 16\n")
    lower = pack(below)
    upper = pack(above, base=Base(VERSION, lower.digest, read(lower.data)))
    with node(tmp_path, tmp_path / "environments") as box:
        executor = {
            "bundle": box.keep(upper.data),
            "layers": [box.keep(lower.data)],
            "entry": upper.manifest.entry,
            "parameters": {},
        }
        spec = box.spec(JOB, executor=executor)
        end = box.run(spec)
    assert end["outcome"] == "succeeded", end
    assert end["results"] == {"width": 16, "depth": 2}
