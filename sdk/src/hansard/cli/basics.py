"""`hansard login`, `new` and `push`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hansard.cli.connection import PATIENCE_S, connected
from hansard.cli.output import AsJson, print_json, say
from hansard.cli.scaffold import scaffold
from hansard.credentials import Credentials, checked_url, credentials_path, save_credentials


class Kind(StrEnum):
    """What can be started from a template."""

    EXECUTOR = "executor"
    MODEL = "model"
    LOADER = "loader"


def login(
    url: Annotated[str, typer.Argument(help="Address of the server: http://host:port")],
    as_json: AsJson = False,
) -> None:
    """Save a server's address and a token, which is asked for or read from stdin."""
    from hansard.client import Client  # noqa: PLC0415 - `hansard --help` needs no httpx

    if sys.stdin.isatty():
        token = str(typer.prompt("Token", hide_input=True))
    else:
        token = sys.stdin.readline()
    credentials = Credentials(checked_url(url), token.strip())
    with Client(credentials.url, credentials.token, patience_s=PATIENCE_S) as client:
        user = client.me()
    path = credentials_path()
    save_credentials(credentials, path)
    if as_json:
        print_json({"user": user.id, "url": credentials.url, "file": str(path)})
    else:
        say(f"logged in to {credentials.url} as {user.name or user.id}; saved in {path}")


def new(
    kind: Kind,
    name: Annotated[str, typer.Argument(help="Name, and the folder to make unless given.")],
    folder: Annotated[Path | None, typer.Option(help="Make this folder instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start an executor, a model or a dataset loader from a template that works."""
    made = scaffold(kind, name, folder or Path(name))
    if as_json:
        print_json({"kind": kind, "name": name, "folder": str(made)})
    else:
        say(f"made {made}: edit it, run its tests with pytest, then `hansard push {made}`")


def push(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The code.")],
    name: Annotated[str | None, typer.Option(help="Push under this name.")] = None,
    project: Annotated[str | None, typer.Option(help="Id or name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pack a folder and publish it as the newest version under its name."""
    from hansard.cli.progress import upload_bar  # noqa: PLC0415 - rich is slow to load

    with connected() as client, upload_bar("uploading") as update:
        pushed = client.push(folder, project, name, on_progress=update)
    if as_json:
        print_json(pushed.model_dump(mode="json"))
        return
    what = "pushed" if pushed.created else "unchanged:"
    say(f"{what} {pushed.kind} {pushed.name}:{pushed.number}  {pushed.id}")
