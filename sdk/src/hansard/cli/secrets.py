"""`hansard secrets ...`: values that runs are given by name; none is ever an argument, or shown."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hansard.cli.connection import connected
from hansard.cli.entities import Description, InProject
from hansard.cli.group import subcommands
from hansard.cli.listing import (
    ArchivedOption,
    Asked,
    CountOption,
    FilterOption,
    LimitOption,
    SortOption,
    show_found,
)
from hansard.cli.output import AsJson, show
from hansard.cli.secret_input import ask_secret
from hansard.client_errors import HansardError

secrets = subcommands("Secrets: set, list, remove.")

_COLUMNS = ("id", "name", "number", "visibility", "description", "updated_at")


@secrets.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="Its name in the project.")],
    project: InProject = None,
    description: Description = "",
    from_env: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Take the value of this variable.")
    ] = None,
    from_file: Annotated[Path | None, typer.Option(help="Take the content of this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep a value under a name, in place of the one before if there is one.

    The value is asked for without showing it, or read from stdin to its end; one newline at the end
    is left out.

    Example: hansard secrets set hub-token --from-env HUB_TOKEN
    """
    value = _value(from_env, from_file)
    with connected() as client:
        kept = client.secrets.set(name, value, project=project, description=description or None)
        show(kept, as_json)


@secrets.command("list")
def list_(
    project: InProject = None,
    filter_: FilterOption = None,
    sort: SortOption = None,
    count: CountOption = False,
    limit: LimitOption = 50,
    archived: ArchivedOption = False,
    as_json: AsJson = False,
) -> None:
    """List secrets, newest first, without their values.

    Example: hansard secrets list --sort name
    """
    asked = Asked(filter_, sort, count, limit, archived)
    with connected() as client:
        if project is not None:
            asked = replace(asked, equal={"project": client.projects.get(project).id})
        show_found(client.secrets, asked, _COLUMNS, as_json)


@secrets.command("rm")
def remove(
    ref: Annotated[str, typer.Argument(metavar="SECRET", help="Id or name.")],
    project: InProject = None,
    as_json: AsJson = False,
) -> None:
    """Destroy a secret for ever; runs that name it fail when they start."""
    with connected() as client:
        show(client.secrets.delete(ref, project=project), as_json)


def _value(variable: str | None, file: Path | None) -> str:
    """The value from where it was said to be. Raises HansardError where there is none."""
    if variable is not None and file is not None:
        raise typer.BadParameter("give one of --from-env and --from-file")
    if variable is not None:
        if not (value := os.environ.get(variable)):
            raise HansardError(f"there is no environment variable `{variable}`")
        return value
    if file is None and sys.stdin.isatty():
        return ask_secret("Value", confirmed=True)
    data = sys.stdin.buffer.read() if file is None else file.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise HansardError("the value is not text in UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
