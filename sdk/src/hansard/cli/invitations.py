"""`hansard invite`, `accept`, `join` and `invitations`; secrets never stand among the arguments."""

from datetime import timedelta
from typing import Annotated

import typer

from hansard.cli.connection import PATIENCE_S, connected
from hansard.cli.group import subcommands
from hansard.cli.listing import add_list
from hansard.cli.output import AsJson, print_json, say, show, tell
from hansard.cli.secret_input import PASSWORD, ask_secret
from hansard.credentials import Credentials, checked_url, credentials_path, save_credentials

invitations = subcommands("Invitations: list, revoke.")

_COLUMNS = ("id", "project", "role", "group", "uses", "accepted", "expires_at", "revoked")


def invite(
    project: Annotated[str | None, typer.Argument(help="Id or name.")] = None,
    role: Annotated[
        str | None, typer.Argument(help="viewer, contributor or manager of the project.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Into a group (too): id or name.")] = None,
    days: Annotated[int, typer.Option(min=1, max=30, help="Open for so many days.")] = 7,
    uses: Annotated[int, typer.Option(min=1, max=100, help="For so many people.")] = 1,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Invite others to a project, a group, or both; the secret to hand on is printed this once.

    Example: hansard invite digits contributor --days 3 --uses 5
    """
    with connected() as client:
        made = client.invitations.create(
            project, role, group=group, expires_in=timedelta(days=days), uses=uses, note=note
        )
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        tell(f"{made.id}: hand this on, for `hansard accept` or `hansard join`")
        say(made.secret)


def accept(as_json: AsJson = False) -> None:
    """Become what an invitation says; its secret is asked for, or read from stdin."""
    secret = ask_secret("Invitation")
    with connected() as client:
        show(client.invitations.accept(secret), as_json)


def join(
    url: Annotated[str, typer.Argument(help="Address of the server: http://host:port")],
    name: Annotated[str, typer.Option(help="Your name.")],
    login: Annotated[str, typer.Option(help="Name to sign in with from now on.")],
    mail: Annotated[str, typer.Option(help="Your mail address.")] = "",
    as_json: AsJson = False,
) -> None:
    """Become a user by an invitation, and log in.

    The secret and a new password are asked for, or read from stdin, a line each; the password also
    from HANSARD_PASSWORD.

    Example: hansard join https://hansard.example --name Ada --login ada
    """
    from hansard.client import Client  # noqa: PLC0415 - `hansard --help` needs no httpx

    address = checked_url(url)
    secret = ask_secret("Invitation")
    password = ask_secret("New password", PASSWORD, confirmed=True)
    with Client(address, "", patience_s=PATIENCE_S) as client:
        opened = client.invitations.join(secret, name, login=login, password=password, mail=mail)
    path = credentials_path()
    save_credentials(Credentials(address, opened.token), path)
    if as_json:
        print_json({"user": opened.user, "url": address, "file": str(path)})
    else:
        say(f"joined {address} as {opened.user}; saved in {path}")


_EXAMPLE = 'Example: hansard invitations list --filter "not revoked"'
add_list(
    invitations,
    lambda client: client.invitations,
    _COLUMNS,
    f"List invitations, newest first, without their secrets.\n\n{_EXAMPLE}",
)


@invitations.command()
def revoke(
    ref: Annotated[str, typer.Argument(metavar="INVITATION", help="Id: invitation-...")],
    as_json: AsJson = False,
) -> None:
    """Close an invitation for ever."""
    with connected() as client:
        show(client.invitations.revoke(ref), as_json)
