"""Texts of policies: read from files or stdin, compared, and what their tests say."""

import sys
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hansard.cli.output import say
from hansard.client_errors import NotFound

if TYPE_CHECKING:
    from hansard.client import Client, Policy
    from hansard.client.policy_results import Tested

TextFile: TypeAlias = Annotated[
    str, typer.Argument(metavar="FILE", help="A policy in YAML; - for stdin.")
]
Comment: TypeAlias = Annotated[str, typer.Option("--message", "-m", help="Why, for the record.")]
ConfirmLoss: TypeAlias = Annotated[
    int,
    typer.Option("--confirm-loss", min=0, help="So many rows people may lose sight of by it."),
]


def read_text(file: str) -> str:
    """The text in a file, or on stdin. Raises OSError, and BadParameter for what is no text."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is no text in UTF-8", param_hint="FILE") from None


def policy_or_none(client: "Client", name: str) -> "Policy | None":
    """The policy of this name, if there is one."""
    try:
        return client.policies.get(name)
    except NotFound:
        return None


def compared(active: str, text: str, name: str) -> str:
    """The lines in which a text differs from the one in force."""
    lines = unified_diff(
        active.splitlines(), text.splitlines(), f"{name} in force", name, lineterm=""
    )
    return "\n".join(lines)


def say_failures(name: str, tested: "Tested") -> None:
    """A line for each test that came out otherwise than expected."""
    for failure in tested.failures:
        case = f"{failure.case} ({failure.policy})" if failure.policy != name else failure.case
        say(f"{name}: failed: {case}: expected {failure.expected}, but {failure.because}")
