"""`hansard executors candidates`, `models executors` and `difference`, against the application."""

from tests.contract.command_line import Shell
from tests.contract.served_platform import a_name, code_in

JOB = """from typing import Protocol


class Counts(Protocol):
    def count(self, rows: int) -> int: ...


class Job(hansard.Executor):
    part: hansard.Slot[Counts]

    def execute(self):
        return {}
"""
NET = """class Net(hansard.Model):
    def count(self, rows: int) -> int:
        return rows
"""
LOADER = """class Rows(hansard.DatasetLoader):
    def count(self, rows) -> int:
        return rows
"""


async def test_what_fits_is_listed_both_ways_and_a_change_is_told(shell: Shell) -> None:
    name = a_name()
    for kind, body in (("e", JOB), ("m", NET), ("l", LOADER)):
        await shell.ok("push", str(code_in(shell.home / kind, f"{name} {kind}", body)))

    job = (f"{name} e", "part")
    found = await shell.json("executors", "candidates", *job, "--sort", "created_at")
    ours = {each["name"]: each for each in found if str(each["name"]).startswith(name)}
    assert {n.removeprefix(f"{name} "): each["verdict"] for n, each in ours.items()} == {
        "m": "fits",
        "l": "unchecked",
    }
    shown = (await shell.ok("executors", "candidates", *job, "--verdict", "unchecked")).out
    assert "`rows` of `count` has no type" in shown
    models = ("--filter", "kind == 'model'", "--limit", "1", "--verdict", "fits")
    (one,) = await shell.json("executors", "candidates", *job, *models)
    assert one["fields"] == {}
    wrong = await shell("executors", "candidates", *job, "--verdict", "perhaps")
    assert wrong.code == 2
    assert (await shell("executors", "candidates", f"{name} e", "none")).code == 1

    (taker,) = await shell.json("models", "executors", f"{name} m")
    assert taker["name"] == f"{name} e"
    assert taker["slots"]["part"]["verdict"] == "fits"
    assert "part" in (await shell.ok("loaders", "executors", f"{name} l:1")).out

    changed = NET.replace("rows: int", "rows: str")
    pushed = await shell.ok("push", str(code_in(shell.home / "m2", f"{name} m", changed)))
    assert "a major change: `rows` of `count` takes str, and the role gives int" in pushed.out
    told = await shell.json("models", "difference", f"{name} m")
    assert (told["step"], told["old"], told["new"]) == ("major", 1, 2)
    same = (await shell.ok("models", "difference", f"{name} m:2", "--old", "2")).out
    assert same.startswith("patch: version 2 to 2")
    assert await shell.json("models", "executors", f"{name} m") == []
