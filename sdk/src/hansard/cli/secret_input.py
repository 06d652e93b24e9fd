"""Secrets: asked for without showing them, or read from the environment or stdin; never argv."""

import os
import sys

import typer

from hansard.client_errors import HansardError

PASSWORD = "HANSARD_PASSWORD"  # noqa: S105 - the name of a variable
NEW_PASSWORD = "HANSARD_NEW_PASSWORD"  # noqa: S105 - same


def ask_secret(what: str, variable: str | None = None, *, confirmed: bool = False) -> str:
    """A secret: from the variable, else hidden from the terminal, else the next line of stdin.

    Raises HansardError where there is none.
    """
    found = secret_or_none(what, variable, confirmed=confirmed)
    if not found:
        places = f"{variable} and stdin have" if variable else "stdin has"
        raise HansardError(f"{places} no {what.lower()}")
    return found


def secret_or_none(what: str, variable: str | None = None, *, confirmed: bool = False) -> str:
    """The same, empty where there is none."""
    if variable is not None and (given := os.environ.get(variable)):
        return given
    if sys.stdin.isatty():
        asked = typer.prompt(
            what, hide_input=True, default="", show_default=False, confirmation_prompt=confirmed
        )
        return str(asked).strip()
    return sys.stdin.readline().strip()
