"""The process that looks into tables: whatever it is given, its caller gets an answer in time."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from hansard.tables import write_parquet
from workers.tables.process import TablesFailed, run_tables

TIMEOUT_S = 60.0


def a_table(folder: Path, rows: int = 500) -> Path:
    row = pl.int_range(rows, eager=True)
    text = "text " + (row % 10).cast(pl.String)
    write_parquet(pl.DataFrame({"id": row, "t": text}), folder / "t.parquet")
    return folder / "t.parquet"


def test_profile_check_and_difference_come_back_as_json(tmp_path: Path) -> None:
    path = str(a_table(tmp_path))
    request = {
        "profile": [path],
        "expectations": "key: [id]",
        "diff": {"before": [path], "after": [path], "key": ["id"]},
    }
    answer = run_tables(request, TIMEOUT_S)
    assert answer["profile"]["tables"][0]["rows"] == 500
    assert answer["check"]["passed"] is True
    assert answer["diff"]["diff"]["changed"] == 0
    assert len(answer["examples"]["tables"][0]["rows"]) == 5


def test_damaged_files_are_only_ever_listed_as_unreadable(tmp_path: Path) -> None:
    source, chance = a_table(tmp_path).read_bytes(), random.Random(4)
    paths = []
    for number in range(200):
        data = bytearray(source)
        for _ in range(chance.choice((1, 4, 40))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        paths.append(str(path))
    found = run_tables({"profile": paths}, TIMEOUT_S)["profile"]
    listed = [*found["tables"], *found["unreadable"], *found["files"]]
    assert sum(each["files"] for each in listed) == 200
    assert len(found["unreadable"]) > 20
    assert len(found["tables"]) > 0


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"profile": [], "expectations": "key: [id]"}, "no table among the files"),
        ({"profile": [], "expectations": "strict: 1"}, "expectations.strict"),
        ({"profile": ["/no/such/file.csv"]}, "cannot be opened"),
        ({"profile": 1}, "ended with status 1"),
    ],
)
def test_a_request_that_cannot_be_answered_fails_in_words(request_: object, said: str) -> None:
    with pytest.raises(TablesFailed, match=said):
        run_tables(request_, TIMEOUT_S)  # type: ignore[arg-type]


@pytest.mark.parametrize("memory_mb", [100, 200])
def test_memory_is_limited_and_its_end_is_no_fault_of_the_file(
    tmp_path: Path, memory_mb: int
) -> None:
    path = str(a_table(tmp_path, 2_000_000))
    with pytest.raises(TablesFailed, match="memory"):
        run_tables({"profile": [path], "memory_bytes": memory_mb << 20}, TIMEOUT_S)


def test_processor_time_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    path.write_text('{"a": {"b": [1, 2, 3]}, "c": "text"}\n' * 2_000_000)
    with pytest.raises(TablesFailed, match="processor time"):
        run_tables({"profile": [str(path)], "cpu_s": 1}, TIMEOUT_S)


def test_a_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.csv")
    started = time.monotonic()
    with pytest.raises(TablesFailed, match=r"took more than 1\.5 s"):
        run_tables({"profile": [str(tmp_path / "never.csv")]}, 1.5)
    assert time.monotonic() - started < 10
    assert children() == []


def test_a_process_that_is_killed_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.csv")
    killer = threading.Thread(target=kill_the_first_child)
    killer.start()
    with pytest.raises(TablesFailed, match="was killed"):
        run_tables({"profile": [str(tmp_path / "never.csv")]}, TIMEOUT_S)
    killer.join()


def children() -> list[psutil.Process]:
    mine = psutil.Process().children()
    return [child for child in mine if "workers.tables.main" in child.cmdline()]


def kill_the_first_child() -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not (started := children()) and time.monotonic() < deadline:
        time.sleep(0.01)
    started[0].send_signal(signal.SIGKILL)
