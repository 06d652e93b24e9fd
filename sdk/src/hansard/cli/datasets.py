"""`hansard datasets`: data in and out, what it holds, what is expected of it, how it changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hansard.cli.connection import connected
from hansard.cli.content import (
    AliasList,
    Card,
    Parents,
    Tags,
    add_content,
    card_text,
    tell_pushed,
)
from hansard.cli.entities import Description, InProject, Ref, group
from hansard.cli.output import AsJson, document, number, print_json, say, show, show_table, tell
from hansard.cli.parameters import parse_tags
from hansard.cli.showing import VersionRef
from hansard.client_errors import HansardError

if TYPE_CHECKING:
    from hansard.client import Client, Pushed, Version
    from hansard.client.content import Details
    from hansard.client.content_results import DatasetDiff

_NUMBERS = ("count", "nulls", "distinct", "min", "max", "mean")


def datasets() -> typer.Typer:
    """The commands."""
    app = group("datasets", in_project=True, versioned=True)
    for command in (push, diff, profile, checks, expect):
        app.command()(command)
    add_content(app, "datasets")
    return app


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Errors of sources and tables in one line, as those of the client."""
    from hansard.sources import SourceError  # noqa: PLC0415 - loaded by what uses them
    from hansard.tables import TableError  # noqa: PLC0415 - same

    try:
        yield
    except (SourceError, TableError) as error:
        raise HansardError(str(error)) from None


def push(
    data: Annotated[list[str], typer.Argument(help="Files, folders, or the address of a source.")],
    name: Annotated[str, typer.Option(help="Of the dataset; made if it is not there.")],
    project: InProject = None,
    alias: AliasList = None,
    tag: Tags = None,
    card: Card = None,
    parent: Parents = None,
    description: Description = "",
    reference: Annotated[
        bool, typer.Option("--reference", help="Keep what identifies the source, no bytes.")
    ] = False,
    query: Annotated[str | None, typer.Option(help="Of a database: the rows to keep.")] = None,
    order_by: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Of a database: their order.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the profile and the checks.")
    ] = True,
    timeout_s: Annotated[float, typer.Option(min=0, help="Wait no longer than this.")] = 300,
    as_json: AsJson = False,
) -> None:
    """Publish data as the next version of a dataset; only what is new is sent.

    Addresses begin with https://, s3://, sqlite:// or postgresql://. It ends with 1 where the data
    does not meet expectations that block runs.

    Example: hansard datasets push ./reviews --name reviews --alias prod
    """
    from hansard.cli.progress import transfer_bar  # noqa: PLC0415 - rich is slow to load

    said: Details = {"description": description or None, "card": card_text(card)}
    said |= {"tags": parse_tags(tag) if tag else None, "parents": parent or ()}
    options = {"query": query, "order_by": order_by}
    given = data[0] if len(data) == 1 else data
    with connected() as client, _plain_errors():
        with transfer_bar() as told:
            pushed = client.datasets.push(
                given,
                name,
                project=project,
                aliases=alias or (),
                reference=reference,
                options={name: value for name, value in options.items() if value},
                on_progress=told,
                **said,
            )
        version = _settled(client, pushed, timeout_s) if wait else pushed
    _answer(pushed, version, as_json)


def _answer(pushed: "Pushed", version: "Version", as_json: bool) -> None:
    if as_json:
        print_json({**document(pushed), **document(version)})
    else:
        tell_pushed(pushed)
        _say_verdict(version)
    _end(version)


def _settled(client: "Client", pushed: "Pushed", timeout_s: float) -> "Version":
    if pushed.profile is None and pushed.mode != "reference":
        tell("waiting for the profile and the checks (--no-wait does not)")
    try:
        settled: Version = client.datasets.settle(pushed.id, timeout_s)
    except TimeoutError as error:
        tell(f"{error}: see `hansard datasets profile {pushed.id}` later")
        return pushed
    return settled


def _say_verdict(version: "Version") -> None:
    if version.reproducible is False:
        say("only a reference is kept: not reproducible once the source moves")
    if version.profile_error:
        say(f"it cannot be looked into: {version.profile_error}")
    for table in (version.profile or {}).get("tables", ()):
        say(f"{table['rows']:,} rows, {len(table['columns'])} columns ({table['format']})")
    for check in version.checks or ():
        if not check["passed"]:
            column = f" of `{check['column']}`" if check["column"] else ""
            say(f"failed: {check['check']}{column}, {check['failures']} time(s)")
    if version.quality:
        say(f"expectations: {version.quality}")


def _end(version: "Version") -> None:
    if version.quality == "failed":
        raise typer.Exit(1)


def profile(ref: VersionRef, as_json: AsJson = False) -> None:
    """Show what the tables of a version hold."""
    with connected() as client:
        version = client.datasets.profile(ref)
    if as_json:
        print_json(document(version))
        return
    if version.profile is None and version.profile_error is None:
        say("it has not been looked into yet")
    if version.profile_error:
        say(f"it cannot be looked into: {version.profile_error}")
    for table in (version.profile or {}).get("tables", ()):
        say(f"{table['files']} file(s), {table['format']}, {table['rows']:,} rows")
        rows = [_column(column) for column in table["columns"]]
        show_table(("column", "type", *_NUMBERS), rows)
    for each in (version.profile or {}).get("unreadable", ()):
        say(f"cannot be read: {each['files']} file(s), {each['format']}: {each['reason']}")
    for each in (version.profile or {}).get("files", ()):
        say(f"{each['files']} other file(s), {each['format']}, {each['bytes']:,} bytes")


def _column(column: Mapping[str, Any]) -> list[object]:
    values = [column.get(name) for name in _NUMBERS]
    shown = [number(value) if isinstance(value, float) else value for value in values]
    return [column["name"], column["type"], *shown]


def checks(ref: VersionRef, as_json: AsJson = False) -> None:
    """Show how a version met what is expected; ends with 1 where that blocks runs."""
    with connected() as client:
        version = client.datasets.profile(ref)
    results = version.checks or ()
    if as_json:
        print_json({"version": version.id, "quality": version.quality, "checks": list(results)})
    elif version.quality is None:
        say("it has not been checked: nothing is expected, or nobody has looked yet")
    else:
        rows = [(c["check"], c["column"], c["passed"], c["failures"]) for c in results]
        show_table(("check", "column", "passed", "failures"), rows)
        say(f"expectations: {version.quality}")
    _end(version)


def expect(
    ref: Ref,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="YAML; see datasets.md.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Expect nothing any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what the versions of a dataset are held against.

    Example: hansard datasets expect reviews expectations.yaml
    """
    if clear is (file is not None):
        raise typer.BadParameter("say either a file or --clear")
    text = card_text(file)
    with connected() as client:
        show(client.datasets.expect(ref, text), as_json)


def diff(
    before: VersionRef,
    after: VersionRef,
    key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="What makes a row the same row.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how two versions differ: their files, and the rows of the tables among these.

    Only files that differ are fetched, and compared on this machine.

    Example: hansard datasets diff reviews:3 reviews:4 --key id
    """
    from hansard.cli.progress import transfer_bar  # noqa: PLC0415 - rich is slow to load

    with connected() as client, _plain_errors(), transfer_bar() as told:
        found = client.datasets.diff(before, after, key=key or (), on_progress=told)
    if as_json:
        print_json(document(found))
    else:
        _say_diff(found)


def _say_diff(found: "DatasetDiff") -> None:
    for sign, files in (("+", found.added), ("-", found.removed), ("~", found.changed)):
        for file in files:
            say(f"{sign} {file.path}")
    say(f"{found.unchanged} file(s) are the same")
    if found.tables is None:
        return
    tables = found.tables
    for word in ("added", "removed", "retyped"):
        for column in tables[f"columns_{word}"]:
            say(f"column {word}: {column['name']}")
    counts = [f"{tables[word]:,} {word}" for word in ("added", "removed")]
    counts += [f"{tables['changed']:,} changed"] if tables["changed"] is not None else []
    say(f"rows: {', '.join(counts)}")
    for column, count in tables["changed_columns"].items():
        say(f"  {column}: {count:,}")
