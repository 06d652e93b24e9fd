"""The files of `datasets`: many small ones, and tables before and after one row is inserted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

ROWS = 1_000_000
FILES = 100_000

_FILES_A_FOLDER = 1000
_SHORTEST, _LONGEST = 100, 4000
_TEXT_WORDS = 1_000_000
_INSERTED_AT = 0.3
_START_S = 1_767_225_600
_SITES = ("amsterdam", "bremen", "cadiz", "dublin", "espoo", "faro", "gdansk", "hull")
_WORDS = (
    "valve pump motor sensor north south east west pressure level rises falls steady alarm checked"
    " replaced cleaned by shift night day report follows none again loud quiet hot cold wet dry"
)


def write_small_files(folder: Path, count: int = FILES, seed: int = 0) -> None:
    """Write files of 100 B to 4 kB, a thousand to a folder; the same seed gives the same bytes.

    Each is a line of JSON-like labels with its own number, and free text.
    """
    random = np.random.default_rng(seed)
    words = random.choice(np.array(_WORDS.split()), _TEXT_WORDS)
    text = " ".join(words.tolist()).encode()
    lengths = random.integers(_SHORTEST, _LONGEST + 1, count)
    starts = random.integers(0, len(text) - _LONGEST, count)
    for number, (length, start) in enumerate(zip(lengths.tolist(), starts.tolist(), strict=True)):
        path = small_file(folder, number)
        if number % _FILES_A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        first = f'{{"number": {number}, "label": {number % 10}, "at": {_START_S + start}}}\n'
        path.write_bytes((first.encode() + text[start : start + length])[:length])


def small_file(folder: Path, number: int) -> Path:
    """Where `write_small_files` puts a file."""
    return folder / f"{number // _FILES_A_FOLDER:03d}" / f"{number:06d}.txt"


def change_small_file(folder: Path, number: int) -> None:
    """Put a file with one line more in the place of one of the files."""
    path = small_file(folder, number)
    content = path.read_bytes()
    # As most editors do, and as hard links to a store require.
    path.unlink()
    path.write_bytes(content + b"\nchecked again\n")


def csv_pair(folder: Path, rows: int = ROWS) -> tuple[Path, Path]:
    """A CSV file of about 48 bytes a row, and the same with one row inserted at 30 %."""
    return _pair(folder, "csv", rows, pa.csv.write_csv)


def parquet_pair(
    folder: Path, rows: int = ROWS, write: Callable[[Any, Path], object] | None = None
) -> tuple[Path, Path]:
    """The same two tables as Parquet; `write` takes an Arrow table and a path.

    Without it: zstd, and pages cut where the content says, as an insertion leaves most of them.
    """
    return _pair(folder, "parquet", rows, write or _write_parquet)


def table(rows: int = ROWS, seed: int = 0) -> Any:
    """An Arrow table of measurements: a number, time, place and three values each."""
    random = np.random.default_rng(seed)
    times = _START_S + np.cumsum(random.integers(0, 4, rows))
    columns = {
        "number": np.arange(rows, dtype=np.int64),
        "time": times,
        "site": random.choice(np.array(_SITES), rows),
        "pressure": np.round(random.normal(5, 1, rows), 6),
        "level": np.round(random.gamma(2, 10, rows), 6),
        "count": random.poisson(40, rows),
    }
    return pa.table(columns)


def with_row_inserted(before: Any) -> Any:
    """The table with one row more, numbered -1, after the first 30 % of its rows."""
    at = int(before.num_rows * _INSERTED_AT)
    row = before.slice(at, 1)
    row = row.set_column(0, "number", pa.array([-1], pa.int64()))
    return pa.concat_tables([before.slice(0, at), row, before.slice(at)]).combine_chunks()


def _pair(
    folder: Path, suffix: str, rows: int, write: Callable[[Any, Path], object]
) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    before = table(rows)
    paths = folder / f"before.{suffix}", folder / f"after.{suffix}"
    write(before, paths[0])
    write(with_row_inserted(before), paths[1])
    return paths


def _write_parquet(content: Any, path: Path) -> None:
    pa.parquet.write_table(content, path, compression="zstd", use_content_defined_chunking=True)
