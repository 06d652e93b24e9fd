"""Shows what would stand against a run, and groups of runs with what their results spread over."""

from typing import TYPE_CHECKING, Any

import typer

from hansard.cli.output import cell, document, members, number, print_json, say, show_table, tell

if TYPE_CHECKING:
    from hansard.client import Outlook, RunGroup, Spread, Verdict

_COLUMNS = ("key", "n", "mean", "std", "min", "max")


def show_verdict(verdict: "Verdict", as_json: bool) -> None:
    """What a run would be made of, or all that stands against it and exit code 1."""
    if as_json:
        print_json(document(verdict))
    elif verdict.valid:
        _show_parts(verdict)
    for error in () if as_json else verdict.errors:
        tell(f"{error.field}: {error.detail}" if error.field else error.detail)
    if not verdict.valid:
        raise typer.Exit(1)


def show_group(group: "RunGroup", as_json: bool, ended: bool) -> None:
    """The runs of a group and their spread; exit code 1 if it has ended and not all succeeded."""
    if as_json:
        print_json(document(group))
    else:
        say(f"{group.id}  {members(group.statuses)}")
        show_table(
            ("id", "seed", "status", "name"),
            [(run.id, run.seed, run.status, run.name) for run in group.runs],
        )
        _show_spreads(group)
    if ended and any(run.status != "succeeded" for run in group.runs):
        raise typer.Exit(1)


def _show_parts(verdict: "Verdict") -> None:
    say("nothing stands against it; nothing was asked for")
    parts = {"executor": verdict.executor or {}, **verdict.slots, **verdict.datasets}
    rows = [
        (name, part["version"], part["number"], part.get("keep"), _values(part))
        for name, part in parts.items()
    ]
    show_table(("part", "version", "number", "keep", "parameters"), rows)
    say(f"parameters  {members(verdict.parameters)}".rstrip())
    say(f"resources   {members(verdict.resources)}")
    say(f"seeds       {', '.join(map(str, verdict.seeds))}")
    for outlook in _ends(verdict.queue or ()):
        say(f"queue       {_standing(outlook)}")


def _values(part: dict[str, Any]) -> dict[str, Any] | None:
    """What its constructor is given, and what its methods are."""
    methods = part.get("methods", {})
    of_methods = {f"{m}.{name}": v for m, given in methods.items() for name, v in given.items()}
    return {**part["parameters"], **of_methods} if "parameters" in part else None


def _ends(queue: "tuple[Outlook, ...]") -> "tuple[Outlook, ...]":
    """The first and the last of many that would be asked for."""
    return queue if len(queue) < 3 else (queue[0], queue[-1])


def _standing(outlook: "Outlook") -> str:
    """Where a run would stand, in a line."""
    at = "no place" if outlook.position is None else f"position {outlook.position}"
    starts = outlook.starts_at
    start = "" if starts is None else f"; starts by {starts.isoformat(timespec='seconds')}"
    return f"{at} in pool {outlook.pool}: {outlook.reason}{start}"


def _show_spreads(group: "RunGroup") -> None:
    seeds = {run.id: run.seed for run in group.runs}
    spreads = [*group.metrics, *(each for each in group.results)]
    if spreads:
        show_table(
            (*_COLUMNS, "seed of min", "seed of max"),
            [(*_row(each), seeds.get(each.min_run), seeds.get(each.max_run)) for each in spreads],
        )
    if group.best is not None:
        say(f"best: {group.best.run} (seed {seeds[group.best.run]}): {number(group.best.value)}")


def _row(spread: "Spread") -> tuple[str, ...]:
    values = (spread.mean, spread.std, spread.min, spread.max)
    return (spread.key, cell(spread.n), *("-" if v is None else number(v) for v in values))
