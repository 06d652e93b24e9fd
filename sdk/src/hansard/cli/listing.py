"""`list` commands: filtered, sorted, counted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.output import AsJson, print_json, say, show_list

FilterOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--filter", help="Only where this holds: \"owner == 'user-...' and 'prod' in tags\"."
    ),
]
SortOption: TypeAlias = Annotated[
    str | None, typer.Option("--sort", help="Up to three keys, - for descending: -created_at,name.")
]
CountOption: TypeAlias = Annotated[
    bool, typer.Option("--count", help="Only how many there are, up to 10,000.")
]
LimitOption: TypeAlias = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]
ArchivedOption: TypeAlias = Annotated[bool, typer.Option("--archived", help="Archived ones too.")]

_COUNT_CAP = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of a list."""

    filter: str | None = None
    sort: str | None = None
    count: bool = False
    limit: int = 50
    archived: bool = False
    equal: Mapping[str, str] = field(default_factory=dict)


def add_list(
    app: typer.Typer, select: Callable[[Any], Any], columns: Sequence[str], what: str
) -> None:
    """Add the command `list` over what `select` takes of a client; `what` is its help."""

    @app.command("list", help=what)
    def list_(
        filter_: FilterOption = None,
        sort: SortOption = None,
        count: CountOption = False,
        limit: LimitOption = 50,
        as_json: AsJson = False,
    ) -> None:
        with connected() as client:
            show_found(select(client), Asked(filter_, sort, count, limit), columns, as_json)


def listed(resource: Any, asked: Asked) -> list[Any]:
    """The entities that match."""
    every = resource.list(
        filter=asked.filter, sort=asked.sort, archived=asked.archived, **asked.equal
    )
    return list(islice(every, asked.limit))


def show_found(resource: Any, asked: Asked, columns: Sequence[str], as_json: bool) -> None:
    """Print the entities that match, or how many there are."""
    if asked.count:
        show_count(resource, asked, as_json)
    else:
        show_list(listed(resource, asked), columns, as_json)


def show_count(resource: Any, asked: Asked, as_json: bool) -> None:
    """Print how many match."""
    count = resource.count(filter=asked.filter, archived=asked.archived, **asked.equal)
    if as_json:
        print_json({"count": count})
    else:
        say(str(count) if count < _COUNT_CAP else f"{_COUNT_CAP} or more")
