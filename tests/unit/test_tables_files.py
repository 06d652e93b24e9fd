"""Tables as files: what is written, read, recognised and saved by the next version."""

from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyfastcdc import FastCDC

from hansard.tables import TableError, library, read_table, table_format, write_parquet
from hansard.tables.scan import group_tables, scan_all

ROWS = 300_000
pa: Any = import_module("pyarrow")


def table(rows: int = ROWS) -> pl.DataFrame:
    row = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {
            "id": row,
            "score": row.hash(1).cast(pl.Float64),
            "label": "label " + (row.hash(2) % 7).cast(pl.String),
            "mail": (row.hash(3) % 1_000_000).cast(pl.String) + "@example.org",
        }
    )


def with_a_row_inserted(frame: pl.DataFrame) -> pl.DataFrame:
    at = frame.height * 3 // 10
    new = frame.head(1).with_columns(id=pl.lit(-1, dtype=pl.Int64))
    return pl.concat([frame.head(at), new, frame.slice(at)])


def new_share(before: Path, after: Path) -> float:
    def pieces(path: Path) -> list[bytes]:
        cutter = FastCDC(avg_size=1 << 16, min_size=1 << 14, max_size=1 << 18)
        return [bytes(piece.data) for piece in cutter.cut_buf(path.read_bytes())]

    known = set(pieces(before))
    return sum(len(p) for p in pieces(after) if p not in known) / after.stat().st_size


def test_an_inserted_row_renews_a_small_share_of_a_parquet_file(tmp_path: Path) -> None:
    frame = table()
    write_parquet(frame, tmp_path / "a.parquet")
    write_parquet(with_a_row_inserted(frame), tmp_path / "b.parquet")
    frame.write_parquet(tmp_path / "foreign-a.parquet")
    with_a_row_inserted(frame).write_parquet(tmp_path / "foreign-b.parquet")
    ours = new_share(tmp_path / "a.parquet", tmp_path / "b.parquet")
    foreign = new_share(tmp_path / "foreign-a.parquet", tmp_path / "foreign-b.parquet")
    assert ours < 0.3 < 0.5 < foreign


def test_equal_tables_become_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_parquet(table(1_000), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_whatever_arrow_takes_is_written_and_read_back(tmp_path: Path) -> None:
    for given in (pa.table({"a": [1, None]}), pl.DataFrame({"a": [1, None]}), {"a": [1, None]}):
        write_parquet(given, tmp_path / "t.parquet")
        assert read_table(tmp_path / "t.parquet").to_pydict() == {"a": [1, None]}


def test_what_is_no_table_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="int is no table"):
        write_parquet(1, tmp_path / "t.parquet")
    with pytest.raises(TableError, match="cannot be written"):
        write_parquet({"a": [1]}, tmp_path / "no such folder" / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_named_with_what_to_install() -> None:
    with pytest.raises(TableError, match="pip install no_such_library"):
        library("no_such_library.part")


def test_every_format_is_read(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.write_ipc(tmp_path / "t.arrow")
    frame.write_ipc_stream(tmp_path / "t.arrows")
    frame.write_csv(tmp_path / "t.csv")
    frame.write_csv(tmp_path / "t.tsv", separator="\t")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for path in tmp_path.iterdir():
        assert read_table(path).to_pydict() == frame.to_dict(as_series=False), path.name
        assert scan_all([path]).collect().equals(frame), path.name


def test_a_damaged_or_foreign_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but no more")
    (tmp_path / "t.txt").write_text("hello")
    with pytest.raises(TableError, match="cannot be read as parquet"):
        read_table(tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"`t\.txt` is no Parquet"):
        read_table(tmp_path / "t.txt")
    with pytest.raises(TableError, match="cannot be opened"):
        read_table(tmp_path / "gone")


def test_binary_formats_are_known_by_content_not_by_name(tmp_path: Path) -> None:
    write_parquet({"a": [1]}, tmp_path / "t.csv")
    assert table_format(tmp_path / "t.csv") == "parquet"


def test_names_with_pattern_characters_are_plain_names(tmp_path: Path) -> None:
    for name, text in (("[1]*?.jsonl", '{"a":1}\n'), ("[1]*?.csv", "a\n1\n"), ("1x.csv", "a\n9\n")):
        (tmp_path / name).write_text(text)
    odd = [tmp_path / "[1]*?.jsonl", tmp_path / "[1]*?.csv"]
    assert scan_all(odd).collect().to_dict(as_series=False) == {"a": [1, 1]}


def test_a_column_of_csv_has_the_type_that_all_its_cells_have(tmp_path: Path) -> None:
    rows = "\n".join(["a,b,c,d", *["1,true,1,"] * 5_000, "2,false,0.5,", "x,true,2,"])
    (tmp_path / "t.csv").write_text(rows)
    types = scan_all([tmp_path / "t.csv"]).collect_schema().dtypes()
    assert types == [pl.String, pl.Boolean, pl.Float64, pl.String]


def test_files_are_grouped_by_format_and_schema(tmp_path: Path) -> None:
    write_parquet({"a": [1]}, tmp_path / "1.parquet")
    write_parquet({"a": [2]}, tmp_path / "2.parquet")
    write_parquet({"b": [2]}, tmp_path / "3.parquet")
    (tmp_path / "4.parquet").write_bytes(b"PAR1")
    (tmp_path / "5.png").write_bytes(b"")
    files = group_tables(sorted(tmp_path.iterdir()))
    assert [len(group.paths) for group in files.groups] == [2, 1]
    assert [lost.path.name for lost in files.unreadable] == ["4.parquet"]
    assert [path.name for path in files.others] == ["5.png"]


def test_no_error_quotes_a_cell(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": secret-cell\n')
    with pytest.raises(TableError) as refused:
        scan_all([tmp_path / "t.jsonl"])
    assert "secret" not in str(refused.value)
