"""`hansard share` and `hansard embargo`."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.output import AsJson, show
from hansard.client_errors import HansardError

if TYPE_CHECKING:
    from hansard.client import Client

EntityRef: TypeAlias = Annotated[
    str, typer.Argument(metavar="ENTITY", help="Id, or KIND/NAME such as model/digits-net.")
]
_LENGTH = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def share(
    entity: EntityRef,
    private: Annotated[bool, typer.Option("--private", help="Not for its project.")] = False,
    project: Annotated[
        bool, typer.Option("--project", help="For all members of its project.")
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="For everybody.")] = False,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="For a group too: id or name.")
    ] = None,
    user: Annotated[
        list[str] | None, typer.Option(metavar="USER", help="For a user too: an id.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With these groups and users alone.")
    ] = False,
    with_nobody: Annotated[
        bool, typer.Option("--with-nobody", help="Private, for no group and no user.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say who else sees a project, experiment, executor, model, loader, dataset or secret.

    Groups and users come to those that are there; what is not said stays.

    Example: hansard share model/digits-net --project --group reviewers
    """
    visibility = _visibility(private=private, project=project, public=public)
    groups, users = group or [], user or []
    if with_nobody and (visibility or groups or users):
        raise typer.BadParameter("is for nobody else", param_hint="--with-nobody")
    if not (with_nobody or visibility or groups or users):
        raise typer.BadParameter("say with whom: --project, --public, --group, --user ...")
    with connected() as client:
        resource, id_ = shareable(client, entity)
        if with_nobody:
            show(resource.unshare(id_), as_json)
            return
        if not replace:
            before = resource.get(id_)
            groups, users = [*before.groups, *groups], [*before.users, *users]
        show(resource.share(id_, visibility=visibility, groups=groups, users=users), as_json)


def embargo(
    entity: EntityRef,
    until: Annotated[
        str | None, typer.Option(help="2026-12-01, a date with a time, or 12h, 3d, 2w from now.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="End it now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hide an entity from everybody but its owner until a time, whoever it is shared with.

    Example: hansard embargo experiment/first --until 2026-12-01
    """
    if lift is (until is not None):
        raise typer.BadParameter("say either --until or --lift")
    time = None if until is None else parse_until(until)
    with connected() as client:
        resource, id_ = shareable(client, entity)
        show(resource.embargo(id_, time), as_json)


def parse_until(text: str, option: str = "--until") -> datetime | timedelta:
    """A date, a time (local unless it has a zone), or so many hours, days or weeks.

    >>> parse_until("3d"), parse_until("2026-12-01")
    (datetime.timedelta(days=3), datetime.datetime(2026, 12, 1, 0, 0))
    """
    if match := _LENGTH.fullmatch(text):
        return int(match[1]) * _UNITS[match[2]]
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"`{text}` is no time: 2026-12-01, 2026-12-01T09:30, 12h, 3d or 2w",
            param_hint=option,
        ) from None


def shareable(client: "Client", entity: str) -> tuple[Any, str]:
    """The resource and the id of something that can be shared. Raises HansardError."""
    id_ = client.resolve(entity)
    resources = (
        *(client.projects, client.experiments),
        *(client.executors, client.models, client.loaders, client.datasets, client.secrets),
    )
    for resource in resources:
        if id_.startswith(f"{resource.kind}-"):
            return resource, id_
    raise HansardError(
        f"`{entity}` is not shared by itself: runs are shared with their experiment, versions "
        "with their executor, model, loader or dataset"
    )


def _visibility(**wanted: bool) -> str | None:
    chosen: Sequence[str] = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(chosen) > 1:
        raise typer.BadParameter(f"--{chosen[0]} and --{chosen[1]} exclude each other")
    return chosen[0] if chosen else None
