"""`hansard audit log` and `hansard history`: the record, told, followed, exported."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.event_export import export
from hansard.cli.event_words import told
from hansard.cli.group import subcommands
from hansard.cli.listing import FilterOption
from hansard.cli.output import AsJson, document, print_json, say, show, tell
from hansard.cli.sharing import parse_until

if TYPE_CHECKING:
    from hansard.client import Client, Event

audit = subcommands("The record: what happened in it, and proof that nothing in it was changed.")

_POLL_S = 1.0


class Format(StrEnum):
    """What is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


Actor: TypeAlias = Annotated[
    str | None, typer.Option(help="Only what this user did: an id, or me.")
]
Entity: TypeAlias = Annotated[
    str | None, typer.Option(help="Only what happened to this: an id, or model/NAME:3.")
]
Action: TypeAlias = Annotated[
    str | None, typer.Option(help="Only this, such as run.failed or user.joined.")
]
Since: TypeAlias = Annotated[
    str | None, typer.Option(help="Not before: 2026-12-01, with a time, or 12h, 3d, 2w ago.")
]
Until: TypeAlias = Annotated[str | None, typer.Option(help="Before: the same.")]
Limit: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="At most so many: 50, in an export all.")
]
Follow: TypeAlias = Annotated[
    bool, typer.Option("--follow", help="Go on with what happens, until interrupted.")
]
Export: TypeAlias = Annotated[
    Format | None, typer.Option("--export", help="Write a file, the oldest event first.")
]
Out: TypeAlias = Annotated[
    Path | None, typer.Option("--out", "-o", help="File of the export; stdout if not said.")
]


@audit.command()
def log(
    filter_: FilterOption = None,
    actor: Actor = None,
    entity: Entity = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first.")] = False,
    limit: Limit = None,
    follow: Follow = False,
    as_: Export = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what to what, when and why, newest first, as far as you may see it.

    An export has all of the events that match, however many they are.

    Example: hansard audit log --actor me --since 7d --filter "kind == 'policy'"
    """
    if out is not None and as_ is None:
        raise typer.BadParameter("say --export jsonl, csv or parquet too", param_hint="--out")
    if out is None and as_ is Format.PARQUET:
        raise typer.BadParameter("say -o FILE too", param_hint="--export")
    if follow and (as_ is not None or as_json or until):
        raise typer.BadParameter("--follow goes with neither --export, --json nor --until")
    with connected() as client:
        asked: dict[str, Any] = {"filter": filter_, "action": action, "actor": actor}
        asked |= {"entity": entity, "since": _time(since, "--since")}
        asked |= {"until": _time(until, "--until")}
        given = {name: value for name, value in asked.items() if value is not None}
        if as_ is not None:
            count = export(islice(client.events.list(**given), limit), as_, out)
            tell(f"{count} events written")
        elif follow:
            _follow(client, given, limit or 10)
        else:
            events = client.events.list(newest_first=not oldest, **given)
            _show(islice(events, limit or 50), as_json)


@audit.command()
def erase(
    user: Annotated[str, typer.Argument(metavar="USER", help="Id: user-...")],
    reason: Annotated[str, typer.Option(help="Why; it stays in the record, so name nobody.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make name and mail of a disabled user unreadable for ever, by destroying their key.

    Example: hansard audit erase user-... --reason "request of 3 May"
    """
    if not yes:
        typer.confirm(f"Erase {user}? There is no way back.", abort=True, err=True)
    with connected() as client:
        show(client.users.erase(user, reason), as_json)


def history(
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="Id, model/NAME, model/NAME:3, run/NAME, ...")
    ],
    as_json: AsJson = False,
) -> None:
    """Show all that happened to something, the oldest first: who, when, what changed, and why.

    Example: hansard history model/digits-net
    """
    with connected() as client:
        _show(client.events.history(ref), as_json)


def _show(events: "Iterable[Event]", as_json: bool) -> None:
    if as_json:
        print_json([document(event) for event in events])
        return
    for event in events:
        for line in told(event):
            say(line)


def _follow(client: "Client", asked: dict[str, Any], before: int) -> None:
    """The newest ones, and then each as it comes."""
    newest = list(islice(client.events.list(newest_first=True, **asked), before))
    _show(reversed(newest), as_json=False)
    for event in _following(client, asked, newest[0].position if newest else 0):
        _show([event], as_json=False)


def _following(client: "Client", asked: dict[str, Any], position: int) -> "Iterator[Event]":
    while True:
        for event in client.events.list(after=position, **asked):
            yield event
            position = event.position
        time.sleep(_POLL_S)


def _time(text: str | None, option: str) -> datetime | None:
    """A time, or so long ago."""
    if text is None:
        return None
    found = parse_until(text, option)
    return datetime.now(UTC) - found if isinstance(found, timedelta) else found
