"""Columns of `hansard runs list` that somebody asks for: of the run, its maps, its metrics."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hansard.cli.output import document, number, print_json, show_table
from hansard.client_errors import Forbidden, HansardError

if TYPE_CHECKING:
    from hansard.client import Client, Run
    from hansard.client.series_results import Metric

_MEMBERS = {"last": "value", "min": "low", "max": "high"}
_MAPS = {"params": "parameters", "tags": "tags", "results": "results", "resources": "resources"}
_PART = re.compile(r"""\[(?:'([^']*)'|"([^"]*)")\]|([^.\[\]]+)""")


@dataclass(frozen=True, slots=True)
class MetricColumn:
    """A metric's last, lowest or highest value."""

    key: str
    stat: str


def metric_column(name: str) -> MetricColumn | None:
    """The metric that a column is called after, as in filters; None for another column.

    >>> metric_column("metrics.val.loss.min"), metric_column("metrics['a/b']").stat
    (MetricColumn(key='val.loss', stat='min'), 'last')
    """
    first, *rest = _parts(name)
    if first != "metrics" or not rest:
        return None
    if len(rest) > 1 and rest[-1] in _MEMBERS:
        return MetricColumn(".".join(rest[:-1]), rest[-1])
    return MetricColumn(".".join(rest), "last")


def show_columns(
    client: "Client", runs: Iterable["Run"], columns: Sequence[str], as_json: bool
) -> None:
    """Print runs with these columns. Raises HansardError for one that runs do not have."""
    metrics = {name: column for name in columns if (column := metric_column(name)) is not None}
    rows = []
    for run in runs:
        newest = _newest(client, run) if metrics else {}
        values = {
            name: _of_metrics(newest, metrics[name]) if name in metrics else run_value(run, name)
            for name in columns
        }
        rows.append((run, values))
    if as_json:
        print_json([{**document(run), "columns": values} for run, values in rows])
    else:
        show_table(("id", *columns), ([run.id, *map(_shown, v.values())] for run, v in rows))


def run_value(run: "Run", name: str) -> Any:
    """What a run has under `status`, `params.lr` or `tags.team`; None where it has nothing."""
    first, *keys = _parts(name)
    member = _MAPS.get(first, first)
    if member not in type(run).model_fields:
        known = ", ".join([*type(run).model_fields, "params.<key>", "tags.<key>", "metrics.<key>"])
        raise HansardError(f"there is no column `{name}`; there are {known}")
    value = document(run)[member]
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _newest(client: "Client", run: "Run") -> dict[str, "Metric"]:
    try:
        return {metric.key: metric for metric in client.runs.metrics(run.id)}
    except Forbidden:  # masked in this one
        return {}


def _of_metrics(newest: Mapping[str, "Metric"], column: MetricColumn) -> Any:
    metric = newest.get(column.key)
    return None if metric is None else getattr(metric, _MEMBERS[column.stat])


def _shown(value: object) -> object:
    return number(value) if isinstance(value, float) else value


def _parts(name: str) -> list[str]:
    """The parts between dots; what stands in brackets is one part."""
    return ["".join(groups) for groups in _PART.findall(name)] or [name]
