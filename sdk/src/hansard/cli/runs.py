"""`hansard run` and `hansard runs ...`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hansard.cli.columns import show_columns
from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.listing import (
    ArchivedOption,
    Asked,
    CountOption,
    FilterOption,
    LimitOption,
    SortOption,
    listed,
    show_found,
)
from hansard.cli.local_run import IsolatedOption, LocalOption, LocalRun, run_locally
from hansard.cli.output import AsJson, members, print_json, say, show, show_list, tell
from hansard.cli.parameters import Parameters, parse_parameters, parse_slots, parse_tags

if TYPE_CHECKING:
    from hansard.client import Fill, Run

runs = subcommands("Runs: list, show, watch, cancel and more.")

_COLUMNS = ("id", "name", "status", "created_at", "ended_at")
_ITEM_COLUMNS = ("number", "name", "kind", "step", "size", "media")
_INTERRUPTED = 130

RunRef = Annotated[str, typer.Argument(metavar="RUN", help="Id, or name of the newest such run.")]

SlotsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--slot", "-s", metavar="SLOT=REF", help="What fills a slot: id, NAME or NAME:3."),
]
ParamsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter: epochs=5 of the executor, model.width=32 of what is in slot model. "
        "JSON where it can be read as such, else text.",
    ),
]
KeepOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="SLOT", help="Keep the trained model of this slot as a version."),
]
TagsOption: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag.")
]
Experiment: TypeAlias = Annotated[str, typer.Option(help="Id or name; made if it is not there.")]
Amount: TypeAlias = Annotated[int | None, typer.Option(help="Of one node.")]
WallTime: TypeAlias = Annotated[int | None, typer.Option(help="Stop it after so many seconds.")]
ColumnsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="Show this instead: status, params.lr, tags.team, metrics.accuracy.max."
    ),
]
WatchOption: TypeAlias = Annotated[
    bool, typer.Option("--watch", "-w", help="Show live progress until it has ended.")
]


def run(
    executor: Annotated[str, typer.Argument(help="Id, NAME, or NAME:3 for a version.")],
    slot: SlotsOption = None,
    param: ParamsOption = None,
    keep: KeepOption = None,
    experiment: Experiment = "default",
    project: Annotated[str | None, typer.Option(help="Id or name.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    tag: TagsOption = None,
    seed: Annotated[int | None, typer.Option(help="Drawn if not given.")] = None,
    cpus: Amount = None,
    gpus: Amount = None,
    memory_mb: Amount = None,
    wall_time_s: WallTime = None,
    watch: WatchOption = False,
    local: LocalOption = False,
    isolated: IsolatedOption = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a run of an executor with its slots filled.

    With --local it runs on this machine instead, without a server: EXECUTOR and what fills slots
    are folders of code, or names of versions, and results go into hansard-runs/NAME.
    """
    slots = parse_slots(slot or [])
    parameters = parse_parameters(param or [], slots)
    kept = _kept(keep, slots)
    if local or isolated:
        run_locally(LocalRun(executor, slots, parameters, kept, name, seed, isolated), as_json)
        return
    wanted = {"cpus": cpus, "gpus": gpus, "memory_mb": memory_mb, "wall_time_s": wall_time_s}
    with connected() as client:
        asked = client.run(
            executor,
            _fills(slots, parameters, kept),
            parameters.executor,
            experiment=experiment,
            project=project,
            name=name,
            resources={unit: value for unit, value in wanted.items() if value is not None},
            seed=seed,
            tags=parse_tags(tag or []),
        )
    if watch:
        _watch(asked, as_json)
    elif as_json:
        print_json(asked.model_dump(mode="json"))
    else:
        say(f"{asked.id} is {asked.status}; see `hansard runs watch {asked.id}`")


@runs.command("list")
def list_(
    experiment: Annotated[str | None, typer.Option(help="Only of this experiment.")] = None,
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    status: Annotated[str | None, typer.Option(help="Only with this status.")] = None,
    filter_: FilterOption = None,
    sort: SortOption = None,
    column: ColumnsOption = None,
    count: CountOption = False,
    limit: LimitOption = 50,
    archived: ArchivedOption = False,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first.

    Example: hansard runs list --filter "metrics.accuracy.max > 0.9" --sort -metrics.accuracy.max
    --column metrics.accuracy.max --column params.lr
    """
    with connected() as client:
        equal = {"status": status} if status else {}
        if experiment:
            equal["experiment"] = client.experiments.get(experiment, project).id
        if project:
            equal["project"] = client.projects.get(project).id
        asked = Asked(filter_, sort, count, limit, archived, equal)
        if column and not count:
            show_columns(client, listed(client.runs, asked), column, as_json)
        else:
            show_found(client.runs, asked, _COLUMNS, as_json)


@runs.command("show")
def show_(ref: RunRef, as_json: AsJson = False) -> None:
    """Show all of a run, and the newest value of each metric."""
    with connected() as client:
        found = client.runs.get(ref)
        show(found, as_json)
        if not as_json:
            for metric in client.runs.metrics(found.id):
                say(f"metric {metric.key}={metric.value:.6g} at step {metric.step}")


@runs.command()
def cancel(
    ref: RunRef,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask a run to stop."""
    with connected() as client:
        show(client.runs.cancel(ref, reason), as_json)


@runs.command()
def logs(
    ref: RunRef,
    stderr: Annotated[bool, typer.Option("--stderr", help="stderr instead of stdout.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a run has written."""
    with connected() as client:
        lines = client.runs.logs(ref, "stderr" if stderr else "stdout")
        if as_json:
            print_json([line.model_dump(mode="json") for line in lines])
            return
        for line in lines:
            say(line.text)


@runs.command()
def items(
    ref: RunRef,
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, such as image.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what a run has logged as files: images, tables, charts and more."""
    with connected() as client:
        found = list(client.runs.items(ref, name=name, kind=kind))
    show_list(found, _ITEM_COLUMNS, as_json)


@runs.command()
def fetch(
    ref: RunRef,
    name: Annotated[str, typer.Argument(help="Name that they were logged under.")],
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")],
    as_json: AsJson = False,
) -> None:
    """Download what a run has logged as files under a name."""
    with connected() as client:
        found = list(client.runs.items(ref, name=name))
        paths = [str(client.runs.save_item(item, folder)) for item in found]
    if not paths:
        tell(f"nothing was logged as `{name}`; see `hansard runs items {ref}`")
        raise typer.Exit(1)
    if as_json:
        print_json(paths)
    else:
        say("\n".join(paths))


@runs.command("watch")
def watch_(ref: RunRef, as_json: AsJson = False) -> None:
    """Show live progress until the run has ended; exit code 0 only if it succeeded."""
    with connected() as client:
        found = client.runs.get(ref)
    _watch(found, as_json)


@runs.command()
def note(
    ref: RunRef,
    text: Annotated[str, typer.Argument(help="The remark.")],
    as_json: AsJson = False,
) -> None:
    """Add a remark to a run."""
    with connected() as client:
        show(client.runs.note(ref, text), as_json)


@runs.command()
def archive(ref: RunRef, as_json: AsJson = False) -> None:
    """Hide a run that has ended from lists; nothing is deleted."""
    with connected() as client:
        show(client.runs.archive(ref), as_json)


@runs.command()
def restore(ref: RunRef, as_json: AsJson = False) -> None:
    """Undo archive; takes the id."""
    with connected() as client:
        show(client.runs.restore(ref), as_json)


def _kept(keep: list[str] | None, slots: Mapping[str, str]) -> list[str]:
    for kept in keep or []:
        if kept not in slots:
            raise typer.BadParameter(f"no --slot {kept}=... is given", param_hint="--keep")
    return keep or []


def _fills(
    slots: Mapping[str, str], parameters: Parameters, keep: Sequence[str]
) -> "dict[str, Fill]":
    from hansard.client import Fill  # noqa: PLC0415 - `hansard --help` needs no httpx

    return {
        slot: Fill(ref, parameters.slots.get(slot, {}), slot in keep) for slot, ref in slots.items()
    }


def _watch(asked: "Run", as_json: bool) -> None:
    """Show a run to its end and leave with its exit code."""
    from hansard.cli.watch import watch  # noqa: PLC0415 - draws with rich, which is slow to load

    try:
        ended = watch(asked, quiet=as_json)
    except KeyboardInterrupt:
        tell(f"{asked.id} goes on: `hansard runs watch {asked.id}` or `hansard runs cancel ...`")
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print_json(ended.model_dump(mode="json"))
    else:
        _sum_up(ended)
    if ended.status != "succeeded":
        raise typer.Exit(1)


def _sum_up(ended: "Run") -> None:
    if ended.status == "succeeded":
        say(f"{ended.id} has succeeded  {members(ended.results or {})}".rstrip())
        return
    failure = ended.failure or {}
    reason = ended.reason or failure.get("message") or "no reason was recorded"
    tell(f"{ended.id}: {ended.status}: {reason}")
    if failure.get("traceback"):
        tell(str(failure["traceback"]).rstrip())
