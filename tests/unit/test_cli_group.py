"""Groups of commands: `ls`, and groups that several distributions add to; columns of runs."""

import pytest
import typer
import typer.main

from hansard.cli import build_app
from hansard.cli.columns import MetricColumn, metric_column, run_value
from hansard.cli.group import subcommands, unite
from hansard.client.results import Run
from hansard.client_errors import HansardError


def a_group(*names: str) -> typer.Typer:
    app = subcommands("Of a test.")
    for name in names:
        app.command(name)(lambda: None)
    return app


def names_of(app: typer.Typer, group: str) -> list[str]:
    command = typer.main.get_command(app)
    return list(command.commands[group].commands)  # type: ignore[attr-defined]


def test_groups_that_share_a_name_become_one_and_stay_as_they_were() -> None:
    app, first, second = typer.Typer(), a_group("list", "show"), a_group("verify")
    app.add_typer(first, name="things")
    app.add_typer(a_group("other"), name="rest")
    app.add_typer(second, name="things")
    unite(app)
    assert names_of(app, "things") == ["list", "show", "verify"]
    assert names_of(app, "rest") == ["other"]
    assert len(first.registered_commands) == 2


def test_ls_is_short_for_list() -> None:
    group = typer.main.get_command(build_app(joined=False)).commands["runs"]  # type: ignore[attr-defined]
    assert group.get_command(None, "ls") is group.get_command(None, "list")
    assert group.get_command(None, "never") is None


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("metrics.loss", MetricColumn("loss", "last")),
        ("metrics.loss.max", MetricColumn("loss", "max")),
        ("metrics.val.loss.min", MetricColumn("val.loss", "min")),
        ("metrics['val/loss'].min", MetricColumn("val/loss", "min")),
        ("metrics.min", MetricColumn("min", "last")),
        ("params.lr", None),
        ("metrics", None),
    ],
)
def test_a_column_of_a_metric_is_called_as_in_filters(
    name: str, column: MetricColumn | None
) -> None:
    assert metric_column(name) == column


def test_columns_reach_into_maps_and_what_is_not_there_is_empty() -> None:
    values = dict.fromkeys(Run.model_fields)
    run = Run.model_validate(
        {**values, "id": "run-1", "masked": [], "parameters": {"a": {"b.c": 3}}, "tags": {}}
    )
    assert run_value(run, "params.a['b.c']") == 3
    assert run_value(run, "tags.team") is None
    assert run_value(run, "params.a.x.y") is None
    with pytest.raises(HansardError, match="no column `colour`"):
        run_value(run, "colour")
