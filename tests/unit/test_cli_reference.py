"""Every command explains itself, and docs/cli.md explains every command."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hansard.cli import build_app

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def commands(command: Any, path: tuple[str, ...] = ("hansard",)) -> Iterator[tuple[str, Any]]:
    """All commands that do something, by their full name."""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from commands(each, (*path, name))
    else:
        yield " ".join(path), command


ALL = dict(commands(typer.main.get_command(build_app(joined=False))))


def section(name: str) -> str:
    """The part of docs/cli.md under a command's heading."""
    _, found, rest = DOCS.read_text().partition(f"### `{name}`\n")
    assert found, f"docs/cli.md has no heading for `{name}`"
    return rest.split("\n## ")[0].split("\n### ")[0]


@pytest.mark.parametrize("name", ALL)
def test_a_command_and_its_options_have_help(name: str) -> None:
    assert ALL[name].help
    for parameter in ALL[name].params:
        if parameter.param_type_name == "option" and "--help" not in parameter.opts:
            assert parameter.help, f"{name} {parameter.opts}"


@pytest.mark.parametrize("name", ALL)
def test_a_command_is_documented_with_every_option(name: str) -> None:
    text = section(name)
    for parameter in ALL[name].params:
        if parameter.param_type_name == "option" and "--help" not in parameter.opts:
            assert f"`{parameter.opts[0]}" in text, f"{name} {parameter.opts}"


def test_every_command_that_answers_has_json() -> None:
    without = [
        name for name, each in ALL.items() if not any("--json" in p.opts for p in each.params)
    ]
    assert without == []


def test_no_command_is_documented_that_is_not_there() -> None:
    headings = [line for line in DOCS.read_text().splitlines() if line.startswith("### `")]
    assert {heading.strip("#` ") for heading in headings} == set(ALL)


def test_help_loads_neither_httpx_nor_pydantic_nor_rich() -> None:
    code = (
        "import sys; from hansard.cli import build_app\n"
        "try: build_app(joined=False)(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'httpx', 'pydantic', 'rich.console'} & sys.modules.keys()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "runs" in ended.stdout
