"""Groups of runs that were asked for together: what their metrics and results spread over.

All of it comes from rows that the caller sees in a list, without what is masked there.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from statistics import fmean, stdev
from typing import Any

from domain.run import MAX_SEEDS
from infra.database import Connection
from policies.access import Listing
from projections.catalogue import RUNS
from projections.cursor import CursorSigner
from projections.page import PageRequest, read_page

Statistic = Callable[[Iterable[float]], float]

_SHOWN = ("id", "name", "seed", "status", "started_at", "ended_at", "reason")
_STATISTICS = {"last": "value", "min": "low", "max": "high"}
"""Of a metric within a run: its newest, lowest and highest value, with the column of each."""


@dataclass(frozen=True, slots=True)
class Best:
    """Which run is the best: by a key of metrics, or of results, the highest or the lowest."""

    key: str
    lowest: bool = False


def read_group(
    connection: Connection,
    listing: Listing,
    group: str,
    signer: CursorSigner,
    now: datetime,
    *,
    statistic: str = "last",
    best: Best | None = None,
) -> dict[str, Any] | None:
    """The runs of a group by seed, and `n, mean, std, min, max` of each metric and number result.

    `statistic` is `last`, `min` or `max`: what stands for a metric within a run. Values that are
    not finite count for nothing. None where the caller sees no run of the group.
    """
    request = PageRequest(limit=MAX_SEEDS, where={"run_group": group})
    rows = read_page(connection, RUNS, listing, request, signer, now).items
    if not rows:
        return None
    rows.sort(key=lambda row: row["seed"] or 0)  # null where it is masked
    metrics = _metrics(connection, listing, rows, _STATISTICS[statistic])
    results = _results(rows)
    found = metrics.get(best.key) or results.get(best.key) or {} if best is not None else {}
    return {
        "id": group,
        "runs": [{name: row[name] for name in _SHOWN} for row in rows],
        "statuses": Counter(row["status"] for row in rows),
        "metrics": [spread(key, values) for key, values in sorted(metrics.items())],
        "results": [spread(key, values) for key, values in sorted(results.items())],
        "best": _best(found, lowest=best.lowest) if best is not None else None,
    }


def spread(key: str, values: Mapping[str, float]) -> dict[str, Any]:
    """What numbers by run spread over; `std` is that of a sample, None for a single one.

    What is too large for a float is None as well.
    """
    return {
        "key": key,
        "n": len(values),
        "mean": _fitting(fmean, values.values()),
        "std": _fitting(stdev, values.values()) if len(values) > 1 else None,
        "min": min(values.values()),
        "max": max(values.values()),
        "min_run": min(values, key=values.__getitem__),
        "max_run": max(values, key=values.__getitem__),
    }


def _fitting(statistic: Statistic, values: Iterable[float]) -> float | None:
    try:
        return statistic(values)
    except OverflowError:
        return None


def _best(values: Mapping[str, float], *, lowest: bool) -> dict[str, Any] | None:
    if not values:
        return None
    run = (min if lowest else max)(values, key=values.__getitem__)
    return {"run": run, "value": values[run]}


def _metrics(
    connection: Connection, listing: Listing, rows: Sequence[Mapping[str, Any]], column: str
) -> dict[str, dict[str, float]]:
    runs = [row["id"] for row in rows if "metrics" not in row.get("masked", ())]
    query = f"SELECT key, run, {column} FROM metric_latest WHERE run = ANY(%s)"
    return _by_key(connection.execute(query, (runs,)).fetchall())


def _results(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Numbers at the top of what executors returned; a masked result is None."""
    return _by_key(
        (key, row["id"], value)
        for row in rows
        for key, value in (row["results"] or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )


def _by_key(found: Iterable[tuple[str, str, float | None]]) -> dict[str, dict[str, float]]:
    by_key: dict[str, dict[str, float]] = defaultdict(dict)
    for key, run, value in found:
        if value is not None and isfinite(value):
            by_key[key][run] = value
    return by_key
