"""Datasets through the SDK against the real application: any data in, files out, differences."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import polars
import pyarrow
import pyarrow.parquet
import pytest

from hansard.client import Client
from hansard.client_errors import HansardError, Invalid
from hansard.sources import SourceMissing
from tests.contract.served_platform import Address, a_name

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANSARD_CACHE_DIR", str(tmp_path / "cache"))


async def blocking(address: Address, story: Callable[[Client], T]) -> T:
    """Tell a story with the blocking client while the server runs on this loop."""

    def told() -> T:
        with Client(address.url, address.token) as client:
            return story(client)

    return await asyncio.to_thread(told)


def a_table(rows: int = 1000, **columns: Any) -> pyarrow.Table:
    """Rows that no other test has: the index of what is stored is shared, the store is not."""
    texts = [f"{uuid4()} {n}" for n in range(rows)]
    return pyarrow.table({"id": range(rows), "text": texts, **columns})


async def test_a_folder_is_pushed_and_pulled_and_only_changes_are_sent(
    address: Address, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.csv").write_text(f"a,b\n{uuid4()},1\n" + f"{number},2\n" * 20_000)
    (folder / "about.md").write_text(f"# About {uuid4()}")

    def story(client: Client) -> None:
        name = a_name()
        first = client.datasets.push(folder, name, description="five tables")
        assert (first.kind, first.number, first.mode, first.form) == ("dataset", 1, "copy", "files")
        (folder / "5.csv").write_text(f"a,b\n{uuid4()},9\n")
        second = client.datasets.push(str(folder), name, aliases=["prod"])
        assert second.number == 2
        assert second.sent < 2000
        pulled = client.datasets.pull(f"{name}@prod", tmp_path / "out")
        assert {file.path for file in pulled.files} == {path.name for path in folder.iterdir()}
        for path in folder.iterdir():
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
        assert client.datasets.push(folder, name).created is False

    await blocking(address, story)


@pytest.mark.parametrize("make", [pyarrow.table, polars.DataFrame, dict])
async def test_tables_of_any_library_are_written_as_parquet(
    address: Address, tmp_path: Path, make: Callable[[Any], Any]
) -> None:
    def story(client: Client) -> None:
        name = a_name()
        pushed = client.datasets.push(make({"a": [1, 2], "b": ["x", name]}), name)
        assert (pushed.form, pushed.content.format if pushed.content else "") == (
            "table",
            "parquet",
        )
        client.datasets.pull(pushed.id, tmp_path / "out")
        found = pyarrow.parquet.read_table(tmp_path / "out" / "data.parquet")
        assert found.to_pydict() == {"a": [1, 2], "b": ["x", name]}

    await blocking(address, story)


async def test_several_tables_and_several_paths_are_files_of_one_version(
    address: Address, tmp_path: Path
) -> None:
    (tmp_path / "one.csv").write_text(f"a\n{uuid4()}\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "two.csv").write_text(f"a\n{uuid4()}\n")

    def story(client: Client) -> None:
        tables = client.datasets.push({"train": a_table(), "test": a_table(10)}, a_name())
        assert tables.content is not None
        names = [file.path for file in client.artifacts.files(tables.content.artifact)]
        assert names == ["test.parquet", "train.parquet"]
        paths = client.datasets.push([tmp_path / "one.csv", tmp_path / "more"], a_name())
        assert paths.content is not None
        names = [file.path for file in client.artifacts.files(paths.content.artifact)]
        assert names == ["more/two.csv", "one.csv"]
        for wrong in ({"../x": a_table()}, [tmp_path / "one.csv", tmp_path / "one.csv"]):
            with pytest.raises(HansardError):
                client.datasets.push(wrong, a_name())

    await blocking(address, story)


async def test_the_rows_of_a_database_are_kept_with_where_they_came_from(
    address: Address, tmp_path: Path
) -> None:
    place = tmp_path / "shop.db"
    with sqlite3.connect(place) as database:
        database.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, what TEXT)")
        database.executemany(
            "INSERT INTO sale VALUES (?, ?)", [(n, str(uuid4())) for n in range(50)]
        )
    database.close()

    def story(client: Client) -> None:
        options = {"query": "SELECT id, what FROM sale", "order_by": ["id"]}
        pushed = client.datasets.push(f"sqlite:///{place}", a_name(), options=options)
        assert (pushed.mode, pushed.form) == ("copy", "table")
        assert pushed.origin_source["kind"] == "sqlite"
        client.datasets.pull(pushed.id, tmp_path / "out")
        (table,) = (tmp_path / "out").iterdir()
        assert pyarrow.parquet.read_table(table).num_rows == 50
        with pytest.raises(SourceMissing):
            client.datasets.push(f"sqlite:///{tmp_path}/none.db", a_name(), options=options)

    await blocking(address, story)


async def test_a_reference_keeps_no_bytes_and_says_it_is_not_reproducible(
    address: Address, tmp_path: Path
) -> None:
    (tmp_path / "big.csv").write_text(f"secret {uuid4()},1\n" * 1000)

    def story(client: Client) -> None:
        pushed = client.datasets.push(tmp_path / "big.csv", a_name(), reference=True)
        assert (pushed.mode, pushed.reproducible) == ("reference", False)
        client.datasets.pull(pushed.id, tmp_path / "out")
        (document,) = (tmp_path / "out").iterdir()
        assert document.name == "reference.json"
        assert "secret" not in document.read_text()
        assert client.datasets.settle(pushed.id, 1).id == pushed.id

    await blocking(address, story)


async def test_versions_differ_by_files_and_by_rows_and_the_same_files_are_not_fetched(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    mark = uuid4()
    (folder / "same.csv").write_text("id,text\n" + "".join(f"{n},{uuid4()}\n" for n in range(9000)))
    (folder / "gone.txt").write_text(f"bye {uuid4()}")
    (folder / "rows.csv").write_text(f"id,text\n1,{mark}\n2,b\n3,c\n")

    def story(client: Client) -> None:
        name = a_name()
        client.datasets.push(folder, name)
        (folder / "gone.txt").unlink()
        (folder / "new.txt").write_text(f"hello {uuid4()}")
        (folder / "rows.csv").write_text(f"id,text\n1,{mark}\n2,B\n4,d\n")
        client.datasets.push(folder, name)
        monkeypatch.setenv("HANSARD_CACHE_DIR", str(tmp_path / "another"))
        told: list[tuple[str, int, int | None]] = []
        found = client.datasets.diff(
            f"{name}:1", f"{name}:2", key=["id"], on_progress=lambda *each: told.append(each)
        )
        assert [file.path for file in found.added] == ["new.txt"]
        assert [file.path for file in found.removed] == ["gone.txt"]
        assert [change.path for change in found.changed] == ["rows.csv"]
        assert found.unchanged == 1
        assert found.tables is not None
        counts = [found.tables[word] for word in ("added", "removed", "changed")]
        assert counts == [1, 1, 1]
        assert found.tables["changed_columns"] == {"text": 1}
        assert max(total or 0 for _, _, total in told) < 200
        same = client.datasets.diff(f"{name}:2", f"{name}:2")
        assert (same.unchanged, same.tables, same.changed) == (3, None, ())

    await blocking(address, story)


async def test_a_table_that_only_one_version_has_counts_as_its_rows(
    address: Address, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "1.csv").write_text(f"id\n{uuid4()}\n2\n")

    def story(client: Client) -> None:
        name = a_name()
        client.datasets.push(folder, name)
        (folder / "2.csv").write_text(f"id\n{uuid4()}\n4\n5\n")
        client.datasets.push(folder, name)
        found = client.datasets.diff(f"{name}:1", f"{name}:2")
        assert found.tables is not None
        assert (found.tables["added"], found.tables["removed"]) == (3, 0)

    await blocking(address, story)


async def test_expectations_are_set_and_taken_away_and_bad_ones_refused(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_name()
        client.datasets.push(a_table(), name)
        text = "rows: {min: 1}\n"
        assert client.datasets.expect(name, text).expectations == text
        with pytest.raises(Invalid):
            client.datasets.expect(name, "rows: nonsense")
        assert client.datasets.expect(name, None).expectations is None

    await blocking(address, story)


async def test_a_version_nobody_looks_into_is_waited_for_no_longer_than_asked(
    address: Address,
) -> None:
    def story(client: Client) -> None:
        pushed = client.datasets.push(a_table(), a_name())
        with pytest.raises(TimeoutError, match="has not been looked into after"):
            client.datasets.settle(pushed.id, 0.5)

    await blocking(address, story)


def test_waiting_ends_once_the_profile_and_the_checks_are_there() -> None:
    later: list[dict[str, Any]] = [
        {},
        {"profile": {"tables": []}},
        {"profile": {"tables": []}, "quality": "failed", "checks": []},
    ]
    version_id = "version-00000000-0000-7000-8000-000000000000"
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        if "/datasets/" in request.url.path:
            return httpx.Response(200, json={"id": "d", "expectations": "rows: {min: 1}"})
        asked += 1
        common = {"id": version_id, "abstraction": "dataset-x", "kind": "dataset"}
        more = {
            "project": "p",
            "number": 1,
            "created_by": "u",
            "created_at": "2026-01-01T00:00:00Z",
        }
        return httpx.Response(200, json={**common, **more, **later[min(asked // 2, 2)]})

    with Client("http://x", "t", transport=httpx.MockTransport(answer)) as client:
        assert client.datasets.settle(version_id, 30).quality == "failed"
