"""What changed between two versions of a table: its columns, and its rows, by a key or as a whole.

Rows are compared on the columns that both versions have, through hashes that stream by, so that
memory grows with the number of rows and the size of the key, not with the rest of the cells.
Where a key occurs several times, its rows are compared as a bag: those that are equal cancel out,
the others are changed, added or removed. rows_after = rows_before - removed + added always holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansard.tables import TableError, library
from hansard.tables.cells import SHOWN_KINDS, readable, shown
from hansard.tables.scan import batched_names, kind_of_type, reading, scan_all

MAX_EXAMPLES = 20
_COLUMNS_AT_ONCE = 10
_SEEDS = (1, 2)
_NUMBERS = ("integer", "number")
_WIDE = ("UInt64", "Int128", "UInt128")


@dataclass
class Diff:
    """Differences of two versions. `changed` is None without a key; `examples` shows cells."""

    rows_before: int
    rows_after: int
    columns_added: list[dict[str, str]] = field(default_factory=list)
    columns_removed: list[dict[str, str]] = field(default_factory=list)
    columns_retyped: list[dict[str, Any]] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    changed: int | None = None
    changed_columns: dict[str, int] = field(default_factory=dict)
    """Rows in which the column changed, for keys that occur once in both versions."""
    duplicate_keys: dict[str, int] = field(default_factory=dict)
    """How many keys occur several times `before` and `after`."""
    examples: dict[str, list[Any]] = field(default_factory=dict)
    """Up to 20 keys (without a key: rows) that were added, removed, changed or occur twice."""

    def as_json(self) -> dict[str, Any]:
        """`diff`, and `examples`: everything that shows cells as they are."""
        whole = dict(vars(self))
        return {"examples": whole.pop("examples"), "diff": whole}


def diff(before: Sequence[Path], after: Sequence[Path], key: Sequence[str] | None = None) -> Diff:
    """Compare all tables among the files of two versions.

    Raises TableError if a version has no table or one that cannot be read, or if a column of the
    key is missing or cannot be compared.
    """
    with reading("the tables"):
        pair = _Pair(scan_all(before), scan_all(after), tuple(key or ()))
        found = pair.columns()
        (pair.by_key if key else pair.by_row)(found)
    return found


class _Pair:
    """Both versions with their shared columns as c0, c1, ... in types that can be compared."""

    def __init__(self, before: Any, after: Any, key: Sequence[str]) -> None:
        self._polars = library("polars")
        self._schemas = before.collect_schema(), after.collect_schema()
        self._both = before, after
        casts = {
            name: cast
            for name, dtype in self._schemas[1].items()
            if name in self._schemas[0] and (cast := _common(self._schemas[0][name], dtype))
        }
        for name in key:
            if name not in casts or kind_of_type(self._schemas[1][name]) not in SHOWN_KINDS:
                raise TableError(f"`{name}` is no column of both versions that can be a key")
        if not casts:
            raise TableError("the two versions have no column in common that can be compared")
        self._names = dict(zip((f"c{at}" for at in range(len(casts))), casts, strict=True))
        aliases = {name: alias for alias, name in self._names.items()}
        self._key = [aliases[name] for name in dict.fromkeys(key)]
        self._before, self._after = (
            frame.select(
                self._polars.col(name).cast(casts[name]).alias(alias)
                for alias, name in self._names.items()
            )
            for frame in self._both
        )

    def columns(self) -> Diff:
        """Numbers of rows and differences of the schemas."""
        old, new = self._schemas
        length = self._polars.len()
        rows = [frame.select(length).collect(engine="streaming").item() for frame in self._both]
        compared = set(self._names.values())
        return Diff(
            rows_before=rows[0],
            rows_after=rows[1],
            columns_added=[{"name": n, "type": str(new[n])} for n in new if n not in old],
            columns_removed=[{"name": n, "type": str(old[n])} for n in old if n not in new],
            columns_retyped=[
                {"name": n, "before": str(old[n]), "after": str(new[n]), "compared": n in compared}
                for n in new
                if n in old and old[n] != new[n]
            ],
        )

    def by_row(self, found: Diff) -> None:
        """Rows of either version that the other has not, or less often."""
        col = self._polars.col
        hashes = [f"h{seed}" for seed in _SEEDS]  # 128 bits: any two rows may be compared
        marks = self._marks([], list(self._names), _SEEDS)
        net = marks.group_by(hashes).agg(col("step").cast(self._polars.Int64).sum())
        rest = net.filter(col("step") != 0).collect(engine="streaming")
        found.added = _total(rest["step"].clip(0))
        found.removed = _total((-rest["step"]).clip(0))
        for what, frame, sign in (("added", self._after, 1), ("removed", self._before, -1)):
            some = rest.filter(col("step") * sign > 0).sort(hashes).head(MAX_EXAMPLES)
            found.examples[what] = self._rows_of(frame, some.select(hashes))

    def by_key(self, found: Diff) -> None:
        """Keys that came, went, changed, or occur several times."""
        polars, key = self._polars, self._key
        col = polars.col
        others = [alias for alias in self._names if alias not in key]
        rows = self._marks(key, others, _SEEDS[:1]).group_by([*key, "h1"])
        net = rows.agg(
            net=col("step").cast(polars.Int64).sum(),
            before=(col("step") < 0).sum(),
            after=(col("step") > 0).sum(),
        )
        keys = net.group_by(key).agg(
            plus=col("net").clip(0).sum(),
            minus=(-col("net")).clip(0).sum(),
            before=col("before").sum(),
            after=col("after").sum(),
        )
        twice = (col("before") > 1) | (col("after") > 1)
        told = keys.filter((col("plus") > 0) | (col("minus") > 0) | twice).with_columns(
            changed=polars.min_horizontal("plus", "minus")
        )
        told = told.with_columns(
            added=col("plus") - col("changed"), removed=col("minus") - col("changed")
        ).collect(engine="streaming")
        self._tell_keys(found, told)
        once = (col("before") == 1) & (col("after") == 1) & (col("changed") == 1)
        self._tell_columns(found, told.filter(once).select(key), others)

    def _tell_keys(self, found: Diff, told: Any) -> None:
        col = self._polars.col
        found.added, found.removed = _total(told["added"]), _total(told["removed"])
        found.changed = _total(told["changed"])
        for what in ("added", "removed", "changed"):
            found.examples[what] = self._keys_of(told.filter(col(what) > 0))
        for version in ("before", "after"):
            twice = told.filter(col(version) > 1)
            found.duplicate_keys[version] = twice.height
            found.examples[f"duplicate_{version}"] = self._keys_of(twice)

    def _tell_columns(self, found: Diff, keys: Any, others: Sequence[str]) -> None:
        if not keys.height:
            return
        for names in batched_names(others, _COLUMNS_AT_ONCE):
            old, new = (
                frame.select([*self._key, *names]).join(
                    keys.lazy(), on=self._key, how="semi", nulls_equal=True
                )
                for frame in (self._before, self._after)
            )
            pairs = new.join(old, on=self._key, how="inner", nulls_equal=True, suffix="/old")
            col = self._polars.col
            differ = [col(name).ne_missing(col(f"{name}/old")).sum() for name in names]
            counts = pairs.select(differ).collect(engine="streaming").row(0)
            told = {self._names[name]: n for name, n in zip(names, counts, strict=True) if n}
            found.changed_columns.update(told)

    def _marks(self, key: Sequence[str], hashed: Sequence[str], seeds: Sequence[int]) -> Any:
        """All rows of both versions as key and hashes, and the step that they count for."""
        polars = self._polars
        return polars.concat(
            frame.select(
                *key,
                *self._hashes(hashed, seeds),
                polars.lit(step, polars.Int8).alias("step"),
            )
            for frame, step in ((self._before, -1), (self._after, 1))
        )

    def _hashes(self, names: Sequence[str], seeds: Sequence[int]) -> list[Any]:
        polars = self._polars
        row = polars.struct(names) if names else polars.lit(0)
        return [row.hash(seed).alias(f"h{seed}") for seed in seeds]

    def _keys_of(self, told: Any) -> list[dict[str, Any]]:
        return self._shown(told.select(self._key).sort(self._key).head(MAX_EXAMPLES))

    def _rows_of(self, frame: Any, hashes: Any) -> list[dict[str, Any]]:
        marked = frame.with_columns(self._hashes(list(self._names), _SEEDS))
        rows = marked.join(hashes.lazy(), on=hashes.columns, how="semi").unique(hashes.columns)
        return self._shown(rows.sort(hashes.columns).drop(hashes.columns).collect())

    def _shown(self, frame: Any) -> list[dict[str, Any]]:
        kept = [n for n, dtype in frame.schema.items() if kind_of_type(dtype) in SHOWN_KINDS]
        cells = frame.select(
            readable(self._polars.col(name), frame.schema[name]).alias(name) for name in kept
        )
        return [
            {self._names[name]: shown(cell) for name, cell in row.items()}
            for row in cells.iter_rows(named=True)
        ]


def _total(numbers: Any) -> int:
    return int(numbers.sum())


def _common(before: Any, after: Any) -> Any:
    """The type in which two columns can be compared; None if there is none."""
    polars = library("polars")
    kinds = {kind_of_type(before), kind_of_type(after)}
    if kinds == {"text"}:
        return polars.String
    if before == after:
        return before
    if kinds == {"integer"}:
        wide = {str(before), str(after)} & set(_WIDE)
        return polars.Int128 if wide else polars.Int64
    if kinds <= set(_NUMBERS):
        return polars.Float64
    zones = {getattr(dtype, "time_zone", None) for dtype in (before, after)}
    if kinds <= {"date", "datetime"} and len(zones) == 1:
        return polars.Datetime("us", zones.pop())
    return polars.String if kinds <= SHOWN_KINDS else None
