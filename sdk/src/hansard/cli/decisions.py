"""`hansard decisions ...`: what was decided on the record, and whether it would be again."""

from typing import Annotated, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.listing import add_list
from hansard.cli.output import AsJson, document, print_json, say, show

decisions = subcommands("Recorded decisions: list, show, verify.")

DecisionRef: TypeAlias = Annotated[str, typer.Argument(metavar="DECISION", help="Id: decision-...")]

_COLUMNS = ("id", "created_at", "subject", "action", "entity", "permitted", "policy", "rule")


_EXAMPLE = "Example: hansard decisions list --filter \"not permitted and action == 'share'\""
add_list(
    decisions,
    lambda client: client.decisions,
    _COLUMNS,
    f"List recorded decisions, newest first.\n\n{_EXAMPLE}",
)


@decisions.command("show")
def show_(ref: DecisionRef, as_json: AsJson = False) -> None:
    """Show a decision with the attributes it was made on."""
    with connected() as client:
        show(client.decisions.get(ref), as_json)


@decisions.command()
def verify(ref: DecisionRef, as_json: AsJson = False) -> None:
    """Decide once more, from the record alone; exit code 1 if it comes out otherwise."""
    with connected() as client:
        found = client.decisions.verify(ref)
    if as_json:
        print_json(document(found))
    elif found.agrees:
        say(f"{_word(found.recorded)}, then and now")
    else:
        say(f"{_word(found.recorded)} then, {found.problem or _word(found.again)} now")
    if not found.agrees:
        raise typer.Exit(1)


def _word(permitted: bool | None) -> str:
    return "permitted" if permitted else "denied"
