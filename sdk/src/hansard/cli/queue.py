"""`hansard queue` and `hansard pools`: why runs wait, and what there is to run on."""

from typing import Annotated

import typer

from hansard.cli.connection import connected
from hansard.cli.listing import FilterOption
from hansard.cli.output import AsJson, print_json, show, show_list

_COLUMNS = ("id", "name", "pool", "position", "reason", "starts_at")


def queue(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Only this run.")] = None,
    filter_: FilterOption = None,
    as_json: AsJson = False,
) -> None:
    """Show which runs wait, where they stand, and why.

    Example: hansard queue --filter "project == 'project-...'"
    """
    with connected() as client:
        if run is not None:
            show(client.why_waiting(run), as_json)
        else:
            show_list(list(client.queue(filter=filter_)), _COLUMNS, as_json)


def pools(as_json: AsJson = False) -> None:
    """Show the pools of nodes, what they have, and what is used."""
    with connected() as client:
        found = client.pools()
    if as_json:
        print_json([pool.model_dump(mode="json") for pool in found])
        return
    for pool in found:
        usable = "" if pool.may_use else ", not open to you"
        typer.echo(f"{pool.name} ({len(pool.nodes)} nodes{usable})")
        for node in pool.nodes:
            amounts = ((node.used or {}).get(unit, 0) for unit in node.capacity)
            parts = zip(node.capacity.items(), amounts, strict=True)
            typer.echo(f"  {node.name}: " + ", ".join(f"{u} of {n} {k}" for (k, n), u in parts))
