"""`hansard lineage`: what something was made from, and what was made from it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from hansard.cli.connection import connected
from hansard.cli.output import AsJson, document, print_json, say

if TYPE_CHECKING:
    from hansard.client.content_results import Lineage, LineageNode


def lineage(
    ref: Annotated[
        str,
        typer.Argument(metavar="REF", help="Id, model/NAME:3, dataset/NAME@prod, run/NAME, ..."),
    ],
    up: Annotated[bool, typer.Option("--up", help="Only what it was made from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what was made from it.")] = False,
    depth: Annotated[int, typer.Option(min=1, max=10, help="Steps from there.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Show what a version, a run or a model was made from, and what was made from it.

    What you may not see is shown as hidden, without its name.

    Example: hansard lineage model/bert@champion --up
    """
    if up and down:
        raise typer.BadParameter("--up and --down exclude each other; without both it shows both")
    direction = "up" if up else "down" if down else "both"
    with connected() as client:
        found = client.lineage(ref, direction, depth)
    if as_json:
        print_json(document(found))
        return
    if not down:
        say("made from")
        _say_trees(found, ((edge.made, edge.of) for edge in found.edges))
    if not up:
        say("made into")
        _say_trees(found, ((edge.of, edge.made) for edge in found.edges))
    if found.truncated:
        say("there is more: ask with a smaller --depth")


def _say_trees(found: "Lineage", steps: Iterable[tuple[str, str]]) -> None:
    nodes = {node.id: node for node in found.nodes}
    below: dict[str, list[str]] = {}
    for start, end in steps:
        if end not in below.setdefault(start, []):
            below[start].append(end)
    starts = [found.start] if found.start in nodes else _versions_of(found)
    shown: set[str] = set()
    pending = [(id_, 1) for id_ in reversed(starts)]
    while pending:
        id_, level = pending.pop()
        again = id_ in shown and id_ in below
        say(f"{'  ' * level}{_label(nodes[id_])}{' (see above)' if again else ''}")
        if not again:
            shown.add(id_)
            pending += [(each, level + 1) for each in reversed(below.get(id_, []))]


def _versions_of(found: "Lineage") -> list[str]:
    """The versions of what was asked for: those that stand first."""
    kind = found.start.partition("-")[0]
    return [node.id for node in found.nodes if node.of == kind and not node.hidden]


def _label(node: "LineageNode") -> str:
    if node.hidden:
        return f"{node.kind} (hidden)"
    status = f", {node.status}" if node.status else ""
    return f"{node.of or node.kind} {node.label}  {node.id}{status}"
