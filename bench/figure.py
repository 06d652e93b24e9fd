"""What a benchmark yields, and the bounds of `bounds.toml` that it is held against."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

BOUNDS = Path(__file__).with_name("bounds.toml")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure: a median over `n` repetitions.

    `floor` is what the machine itself needs for the same work, `peer` what the other tool took:
    both raw, in the unit that `note` names (seconds unless it says otherwise).
    """

    id: str
    value: float
    unit: str
    n: int
    floor: float | None = None
    peer: float | None = None
    note: str = ""

    def as_json(self) -> str:
        """One line of JSON; floats with six significant digits."""
        rounded = {k: _rounded(v) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return orjson.dumps(rounded).decode()


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure must reach; both ends count as reached."""

    unit: str
    min: float | None = None
    max: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value is within the bound; NaN never is."""
        above = self.min is None or value >= self.min
        below = self.max is None or value <= self.max
        return above and below and value == value

    def __str__(self) -> str:
        return f">= {self.min:g}" if self.min is not None else f"<= {self.max:g}"


def read_bounds(path: Path = BOUNDS) -> dict[str, Bound]:
    """All bounds by the id of their figure, whatever table of the file they stand in."""
    tables: Mapping[str, Mapping[str, Any]] = tomllib.loads(path.read_text())
    return {id_: Bound(**bound) for table in tables.values() for id_, bound in table.items()}


def missed(
    names: Sequence[str], figures: Sequence[Figure], bounds: Mapping[str, Bound]
) -> list[str]:
    """Ids of the bounds of these benches that were not reached, or not measured at all."""
    values = {figure.id: figure.value for figure in figures}
    held = {id_: bound for id_, bound in bounds.items() if id_.partition(".")[0] in names}
    return [id_ for id_, bound in held.items() if not bound.holds(values.get(id_, float("nan")))]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
