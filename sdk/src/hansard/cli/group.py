"""Groups of commands, where `ls` means `list`; and joining groups that share a name."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

_SHORT = {"ls": "list"}


class _Verbs(TyperGroup):
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, _SHORT.get(cmd_name, cmd_name))


def subcommands(about: str | None) -> typer.Typer:
    """A group of commands, to be filled."""
    return typer.Typer(cls=_Verbs, no_args_is_help=True, help=about)


def unite(app: typer.Typer) -> None:
    """Make one group of those that share a name, under the help of the first."""
    groups: dict[str | None, list[typer.Typer]] = {}
    for found in app.registered_groups:
        assert found.typer_instance is not None
        groups.setdefault(found.name, []).append(found.typer_instance)
    app.registered_groups = []
    for name, instances in groups.items():
        app.add_typer(instances[0] if len(instances) == 1 else _united(instances), name=name)


def _united(instances: Sequence[typer.Typer]) -> typer.Typer:
    """A new group: those that are there may be part of other command lines too."""
    found = subcommands(instances[0].info.help)
    for instance in instances:
        found.registered_commands += instance.registered_commands
    return found
