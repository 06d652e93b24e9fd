"""`hansard nodes ...`: machines that execute runs, and the tokens by which they join."""

from datetime import timedelta
from typing import Annotated

import typer

from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.output import AsJson, print_json, say, tell

nodes = subcommands("Nodes: list, make a token to join by.")


@nodes.command("list")
def list_(as_json: AsJson = False) -> None:
    """List nodes by name: what they offer, their labels, and whether they were heard of lately."""
    with connected() as client:
        found = client.nodes.list()
    if as_json:
        print_json([node.model_dump(mode="json") for node in found])
        return
    for node in found:
        labels = ",".join(f"{key}={value}" for key, value in node.labels.items())
        state = "present" if node.present else f"silent since {node.heard_at:%Y-%m-%d %H:%M:%S}"
        room = f"{node.cpus} CPUs, {node.gpus} GPUs, {node.memory_mb} MB"
        say("  ".join(filter(None, (node.name, state, room, labels))))


@nodes.command()
def token(
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    hours: Annotated[int, typer.Option(min=1, max=720, help="Ends after so many hours.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Make a token by which machines join with `hansard node join`; it is printed this once.

    Example: hansard nodes token --label rack-2 --hours 4
    """
    with connected() as client:
        made = client.nodes.issue_token(label=label, expires_in=timedelta(hours=hours))
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        tell(f"{made.id}: for `hansard node join`; `hansard tokens revoke` ends it sooner")
        say(made.token)
