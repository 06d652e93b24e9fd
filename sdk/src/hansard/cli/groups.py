"""What `hansard groups` and `hansard projects` have besides the verbs of every noun: members."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.output import AsJson, print_json, say, show, show_list
from hansard.cli.parameters import parse_attributes

GroupRef: TypeAlias = Annotated[str, typer.Argument(metavar="GROUP", help="Id or name.")]
ProjectRef: TypeAlias = Annotated[str, typer.Argument(metavar="PROJECT", help="Id or name.")]
RoleName: TypeAlias = Annotated[
    str, typer.Argument(metavar="ROLE", help="viewer, contributor or manager.")
]
Members: TypeAlias = Annotated[list[str], typer.Argument(metavar="USER...", help="Ids, or me.")]


def add_membership(app: typer.Typer) -> None:
    """`groups members|add|remove|grant|revoke`."""
    app.command()(members)
    app.command()(add)
    app.command()(remove)
    app.command()(grant)
    app.command()(revoke)
    app.command("set")(set_)


def add_project_members(app: typer.Typer) -> None:
    """`projects members`."""
    app.command("members")(project_members)


def members(ref: GroupRef, as_json: AsJson = False) -> None:
    """List the users that belong to a group."""
    with connected() as client:
        show_list(list(client.groups.members(ref)), ("id",), as_json)


def set_(
    ref: GroupRef,
    assignments: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...")] = None,
    unset: Annotated[list[str] | None, typer.Option(help="An attribute to remove.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show or change the attributes of a group: what its runs may have together.

    Example: hansard groups set vision weight=2 quota_gpus=4 share_gpus=2 --unset max_running
    """
    with connected() as client:
        found = client.groups.attributes(ref)
        if assignments or unset:
            kept = {n: value for n, value in found.items() if n not in (unset or [])}
            found = {**kept, **parse_attributes(assignments or [])}
            client.groups.set_attributes(ref, found)
    if as_json:
        print_json(found)
    else:
        say("\n".join(f"{name} = {value}" for name, value in found.items()) or "no attributes")


def add(ref: GroupRef, user: Members, as_json: AsJson = False) -> None:
    """Take users into a group.

    Example: hansard groups add reviewers user-...
    """
    with connected() as client:
        _each(user, lambda one: client.groups.add(ref, one))
    _told(ref, user, "in", as_json)


def remove(ref: GroupRef, user: Members, as_json: AsJson = False) -> None:
    """Take users out of a group."""
    with connected() as client:
        _each(user, lambda one: client.groups.remove(ref, one))
    _told(ref, user, "out of", as_json)


def grant(ref: GroupRef, project: ProjectRef, role: RoleName, as_json: AsJson = False) -> None:
    """Give all members of a group a role in a project.

    Example: hansard groups grant reviewers digits viewer
    """
    with connected() as client:
        show(client.groups.grant(ref, project, role), as_json)


def revoke(ref: GroupRef, project: ProjectRef, as_json: AsJson = False) -> None:
    """Take a group's role in a project away."""
    with connected() as client:
        show(client.groups.revoke(ref, project), as_json)


def project_members(ref: ProjectRef, as_json: AsJson = False) -> None:
    """List the groups and users with a role in a project.

    Example: hansard projects members digits
    """
    with connected() as client:
        show_list(list(client.projects.members(ref)), ("kind", "id", "role"), as_json)


def _each(users: list[str], act: Callable[[str], None]) -> None:
    for user in users:
        act(user)


def _told(group: str, users: list[str], where: str, as_json: bool) -> None:
    if as_json:
        print_json({"group": group, "users": users})
    else:
        say(f"{', '.join(users)}: {where} {group}")
