"""`hansard login`, `logout` and `new`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hansard.cli.connection import PATIENCE_S
from hansard.cli.output import AsJson, print_json, say
from hansard.cli.scaffold import scaffold
from hansard.cli.secret_input import PASSWORD, ask_secret
from hansard.client_errors import Conflict, HansardError, Unauthenticated
from hansard.credentials import (
    Credentials,
    checked_url,
    credentials_path,
    read_credentials,
    save_credentials,
)


class Kind(StrEnum):
    """What can be started from a template."""

    EXECUTOR = "executor"
    MODEL = "model"
    LOADER = "loader"


def login(
    url: Annotated[str, typer.Argument(help="Address of the server: http://host:port")],
    name: Annotated[
        str | None, typer.Option("--login", help="Sign in under this name, with a password.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save a server's address and a token, which is asked for or read from stdin.

    With --login it asks for a password instead, or reads it from HANSARD_PASSWORD or stdin, and
    saves the token of a session.

    Example: hansard login https://hansard.example --login ada
    """
    from hansard.client import Client  # noqa: PLC0415 - `hansard --help` needs no httpx

    address = checked_url(url)
    token = ask_secret("Token") if name is None else ""
    password = None if name is None else ask_secret("Password", PASSWORD)
    with Client(address, token, patience_s=PATIENCE_S) as client:
        if name is not None and password is not None:
            token = client.login(name, password).token
        user = client.me()
    path = credentials_path()
    save_credentials(Credentials(address, token), path)
    if as_json:
        print_json({"user": user.id, "url": address, "file": str(path)})
    else:
        say(f"logged in to {address} as {user.name or user.id}; saved in {path}")


def logout(as_json: AsJson = False) -> None:
    """Close the session that `hansard login` saved, and forget it."""
    path = credentials_path()
    saved = read_credentials(path)
    if saved is None:
        raise HansardError(f"nobody is logged in: there is no {path}")
    closed = _close_session(saved)
    path.unlink()
    if as_json:
        print_json({"url": saved.url, "closed": closed})
    elif closed:
        say(f"logged out of {saved.url}")
    else:
        say(f"forgotten {path}; its token stays valid: see `hansard tokens revoke`")


def _close_session(saved: Credentials) -> bool:
    """Whether the token opens nothing any more; one that is no session's stays valid."""
    from hansard.client import Client  # noqa: PLC0415 - `hansard --help` needs no httpx

    with Client(saved.url, saved.token, patience_s=PATIENCE_S) as client:
        try:
            client.logout()
        except Unauthenticated:
            return True
        except Conflict:
            return False
    return True


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
