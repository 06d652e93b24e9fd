"""What commands print: tables for people, one JSON document for programs, errors on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from hansard.client.results import Result

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def say(text: str = "") -> None:
    """A line on stdout."""
    typer.echo(text)


def tell(text: str) -> None:
    """A line on stderr: what is not the command's answer."""
    typer.echo(text, err=True)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    say(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def show(result: "Result", as_json: bool) -> None:
    """One entity: its members, one a line, without those that say nothing."""
    members = document(result)
    if as_json:
        print_json(members)
        return
    shown = {name: value for name, value in members.items() if value not in (None, "", {}, [])}
    width = max(map(len, shown))
    for name, value in shown.items():
        say(f"{name:<{width}}  {cell(value)}")


def show_list(results: Iterable["Result"], columns: Sequence[str], as_json: bool) -> None:
    """A list: a JSON array, or a table of some columns."""
    if as_json:
        print_json([document(result) for result in results])
    else:
        show_table(columns, ([getattr(each, column) for column in columns] for each in results))


def document(result: "Result") -> dict[str, Any]:
    """A record as JSON; masked members are null whatever their type."""
    return result.model_dump(mode="json", warnings=False)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table under headings."""
    from rich.console import Console  # noqa: PLC0415 - costs every other command 50 ms
    from rich.table import Table  # noqa: PLC0415 - same

    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(cell, row))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 400  # cut no id when the output goes into a file or a pipe
    console.print(table)


def cell(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def number(value: float) -> str:
    """A metric value in few characters.

    >>> number(0.123456), number(12345678.0), number(3.0)
    ('0.12346', '1.2346e+07', '3')
    """
    return f"{value:.5g}"


def members(document: Mapping[str, Any]) -> str:
    """A flat mapping in one line.

    >>> members({"loss": 0.5, "epochs": 3})
    'loss=0.5 epochs=3'
    """
    return " ".join(
        f"{name}={number(value) if isinstance(value, float) else cell(value)}"
        for name, value in document.items()
    )
