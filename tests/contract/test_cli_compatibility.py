"""`hansard executors candidates`, `models executors` and `difference`, against the application."""

from typing import Any

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


def ours_of(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for row in rows if str(row["name"]).startswith(name)]


async def test_what_fits_is_listed_both_ways_and_a_change_is_told(shell: Shell) -> None:
    name = a_name()
    for kind, body in (("e", JOB), ("m", NET), ("l", LOADER)):
        await shell.ok("push", str(code_in(shell.home / kind, f"{name} {kind}", body)))

    newest = ("--sort", "-created_at")  # other tests publish on the same platform
    job = (f"{name} e", "part", *newest)
    found = await shell.json("executors", "candidates", *job)
    ours = {each["name"]: each for each in ours_of(found, name)}
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

    (taker,) = ours_of(await shell.json("models", "executors", f"{name} m", *newest), name)
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
    assert ours_of(await shell.json("models", "executors", f"{name} m", *newest), name) == []
