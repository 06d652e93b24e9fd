"""`hansard users ...`: people and service accounts, by id or `me`."""

from typing import Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.listing import add_list
from hansard.cli.output import AsJson, print_json, say, show
from hansard.cli.parameters import parse_attributes
from hansard.cli.secret_input import NEW_PASSWORD, PASSWORD, ask_secret, secret_or_none

users = subcommands("Users: list, create, disable, give roles and attributes.")

UserRef: TypeAlias = Annotated[str, typer.Argument(metavar="USER", help="Id, or me.")]
ProjectRef: TypeAlias = Annotated[str, typer.Argument(metavar="PROJECT", help="Id or name.")]
RoleName: TypeAlias = Annotated[
    str, typer.Argument(metavar="ROLE", help="viewer, contributor or manager.")
]
Assignments: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="JSON, else text.")
]

_COLUMNS = ("id", "name", "enabled", "erased", "admin", "service", "groups", "created_at")


_EXAMPLE = 'Example: hansard users list --filter "admin and active"'
add_list(users, lambda client: client.users, _COLUMNS, f"List users, newest first.\n\n{_EXAMPLE}")


@users.command("show")
def show_(ref: UserRef = "me", as_json: AsJson = False) -> None:
    """Show a user, as far as you may see it; yourself if none is named."""
    with connected() as client:
        show(client.me() if ref == "me" else client.users.get(ref), as_json)


@users.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the person or service.")],
    mail: Annotated[str, typer.Option(help="Mail address.")] = "",
    login: Annotated[str | None, typer.Option(help="Name to sign in with.")] = None,
    service: Annotated[
        bool, typer.Option("--service", help="A service account: tokens, no password.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An attribute.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a user.

    Example: hansard users create "Ada L." --login ada --set max_gpus=4
    """
    attributes = parse_attributes(set_ or [])
    with connected() as client:
        made = client.users.create(name, mail, service=service, login=login, attributes=attributes)
        show(made, as_json)


@users.command()
def disable(ref: UserRef, as_json: AsJson = False) -> None:
    """Shut a user out: tokens and password open nothing any more."""
    with connected() as client:
        show(client.users.disable(ref), as_json)


@users.command()
def enable(ref: UserRef, as_json: AsJson = False) -> None:
    """Let a user in again."""
    with connected() as client:
        show(client.users.enable(ref), as_json)


@users.command("set")
def set_(
    ref: UserRef,
    assignments: Assignments = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Take away.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set attributes of a user that policies ask for; the others stay.

    Example: hansard users set user-... max_gpus=4 pools='["a100"]' --unset team
    """
    wanted, gone = parse_attributes(assignments or []), set(unset or [])
    if not wanted and not gone:
        raise typer.BadParameter("say what: KEY=VALUE or --unset KEY")
    with connected() as client:
        before = client.me() if ref == "me" else client.users.get(ref)
        present: dict[str, Any] = dict(before.attributes or {})
        kept = {name: value for name, value in present.items() if name not in gone}
        show(client.users.set_attributes(before.id, {**kept, **wanted}), as_json)


@users.command()
def grant(ref: UserRef, project: ProjectRef, role: RoleName, as_json: AsJson = False) -> None:
    """Give a user a role in a project, in place of any other there.

    Example: hansard users grant user-... digits contributor
    """
    with connected() as client:
        show(client.users.grant(ref, project, role), as_json)


@users.command()
def revoke(ref: UserRef, project: ProjectRef, as_json: AsJson = False) -> None:
    """Take a user's own role in a project away."""
    with connected() as client:
        show(client.users.revoke(ref, project), as_json)


@users.command()
def login(
    ref: UserRef,
    name: Annotated[str | None, typer.Argument(help="Name to sign in with; none if left out.")] = (
        None
    ),
    as_json: AsJson = False,
) -> None:
    """Give a user a name to sign in with, or take it away."""
    with connected() as client:
        client.users.set_login(ref, name)
    if as_json:
        print_json({"user": ref, "login": name})
    else:
        say(f"{ref} signs in as {name}" if name else f"{ref} has no login")


@users.command()
def password(ref: UserRef = "me", as_json: AsJson = False) -> None:
    """Set a password, which is asked for, or read from HANSARD_NEW_PASSWORD or stdin.

    To change one's own, the present one is needed: HANSARD_PASSWORD, or the next line of stdin.
    """
    chosen = ask_secret("New password", NEW_PASSWORD, confirmed=True)
    own = ref == "me"
    current = secret_or_none("Present password (if there is one)", PASSWORD) if own else ""
    with connected() as client:
        client.users.set_password(ref, chosen, current or None)
    if as_json:
        print_json({"user": ref})
    else:
        say("the password is set")
