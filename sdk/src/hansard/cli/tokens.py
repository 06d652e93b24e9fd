"""`hansard tokens ...`: bearer tokens, one's own or, for administrators, of others."""

from datetime import timedelta
from typing import Annotated

import typer

from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.listing import add_list
from hansard.cli.output import AsJson, print_json, say, show, tell

tokens = subcommands("Tokens: list, issue, revoke.")

_COLUMNS = ("id", "account", "label", "scopes", "purpose", "expires_at", "revoked")


_EXAMPLE = 'Example: hansard tokens list --filter "not revoked"'
add_list(
    tokens,
    lambda client: client.tokens,
    _COLUMNS,
    f"List tokens, newest first, without their secrets.\n\n{_EXAMPLE}",
)


@tokens.command()
def issue(
    user: Annotated[str, typer.Option(help="For whom: an id, or me.")] = "me",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="read, write or admin; those of your own by default."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Ends after so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Issue a token; it is printed this once.

    Example: hansard tokens issue --label nightly --scope read --days 30
    """
    lasts = None if days is None else timedelta(days=days)
    with connected() as client:
        made = client.tokens.issue(user, label=label, scopes=scope, expires_in=lasts)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        tell(f"{made.id}: keep it, it is not shown again")
        say(made.token)


@tokens.command()
def revoke(
    ref: Annotated[str, typer.Argument(metavar="TOKEN", help="Id of the token: token-...")],
    as_json: AsJson = False,
) -> None:
    """Close a token for ever."""
    with connected() as client:
        show(client.tokens.revoke(ref), as_json)
