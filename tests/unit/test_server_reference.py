"""docs/server.md describes every command of the server with its options, and nothing else."""

import re
from pathlib import Path

import click
import typer
from typer.main import get_command

from api.cli import register

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text()


def commands() -> dict[str, click.Command]:
    app = typer.Typer()
    register(app)
    found = {}
    root = get_command(app)
    assert hasattr(root, "commands")
    for name, command in root.commands.items():
        nested = getattr(command, "commands", None)
        if nested is None:
            found[f"hansard {name}"] = command
        else:
            found |= {f"hansard {name} {inner}": each for inner, each in nested.items()}
    return found


def test_every_command_has_its_section_and_every_section_a_command() -> None:
    assert re.findall(r"^### `(.*)`$", PAGE, re.MULTILINE) == list(commands())


def test_every_option_is_described_and_every_command_helps() -> None:
    for name, command in commands().items():
        section = PAGE.partition(f"### `{name}`")[2].partition("\n### ")[0]
        assert command.help
        for parameter in command.params:
            assert f"`{parameter.opts[0]}`" in section, f"{name} {parameter.opts[0]}"
