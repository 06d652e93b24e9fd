"""`python -m bench NAME [--json]`: one JSON line per figure, then a table; exit 1 if one is missed.

NAME is a bench of this folder, or `all`.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from rich.console import Console
from rich.table import Table

from bench.figure import Bound, Figure, missed, read_bounds
from bench.machine import share_two_cores

BENCHES = (
    *("append", "projector", "metrics", "series", "live", "startup", "submit", "policies"),
    *("table2", "datasets", "scheduler", "matcher", "steps", "envs", "burst", "verify"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=(*BENCHES, "all"))
    parser.add_argument("--json", action="store_true", help="no table, only the JSON lines")
    asked = parser.parse_args(arguments)
    names = BENCHES if asked.name == "all" else (asked.name,)
    share_two_cores()
    figures = []
    for figure in _measure(names):
        print(figure.as_json(), flush=True)
        figures.append(figure)
    bounds = read_bounds()
    not_reached = missed(names, figures, bounds)
    if not asked.json:
        Console().print(_table(figures, bounds, not_reached))
    return 1 if not_reached else 0


def _measure(names: Sequence[str]) -> Iterator[Figure]:
    for name in names:
        yield from import_module(f"bench.{name}").run()


def _table(
    figures: Sequence[Figure], bounds: Mapping[str, Bound], not_reached: Sequence[str]
) -> Table:
    table = Table("figure", "value", "bound", "", "floor", "peer")
    for figure in figures:
        bound = bounds.get(figure.id)
        verdict = "" if bound is None else "missed" if figure.id in not_reached else "met"
        value = f"{figure.value:.4g} {figure.unit}"
        limits = (str(bound or ""), verdict, _shown(figure.floor), _shown(figure.peer))
        table.add_row(figure.id, value, *limits)
    for id_ in set(not_reached) - {figure.id for figure in figures}:
        table.add_row(id_, "not measured", str(bounds[id_]), "missed")
    return table


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main())
