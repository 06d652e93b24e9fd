"""`hansard runs ...`."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hansard.cli.columns import show_columns
from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.launches import show_group
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
from hansard.cli.output import AsJson, print_json, say, show, show_list, tell
from hansard.cli.run import follow

runs = subcommands("Runs: list, show, watch, cancel and more.")

_COLUMNS = ("id", "name", "status", "created_at", "ended_at")
_ITEM_COLUMNS = ("number", "name", "kind", "step", "size", "media")

RunRef = Annotated[str, typer.Argument(metavar="RUN", help="Id, or name of the newest such run.")]


ColumnsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="Show this instead: status, params.lr, tags.team, metrics.accuracy.max."
    ),
]


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
def hardware(ref: RunRef, as_json: AsJson = False) -> None:
    """Show what a run has taken of its node: last and largest value of each figure."""
    with connected() as client:
        found = client.runs.hardware(ref, max_points=1).items
        if as_json:
            print_json([series.model_dump(mode="json") for series in found])
            return
        for series in found:
            name = series.key.partition("/")[2]
            say(f"{name}={series.last[-1]:.6g} at most {series.max[-1]:.6g}")


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
    follow(found, as_json)


@runs.command()
def group(
    id_: Annotated[str, typer.Argument(metavar="GROUP", help="Id of the group.")],
    best: Annotated[str | None, typer.Option(help="Metric or result that ranks the runs.")] = None,
    mode: Annotated[str, typer.Option(help="Which value is best: max or min.")] = "max",
    statistic: Annotated[
        str, typer.Option(help="What stands for a metric in a run: last, min or max.")
    ] = "last",
    as_json: AsJson = False,
) -> None:
    """Show the runs that were asked for with several seeds, and what their results spread over."""
    with connected() as client:
        found = client.runs.group(id_, statistic=statistic, best=best, mode=mode)
    show_group(found, as_json, ended=False)


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
