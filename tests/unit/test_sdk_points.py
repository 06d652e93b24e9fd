"""The in-box metric log: nothing logged is lost, nothing torn is read, whoever dies."""

import errno
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hansard.formats import points
from hansard.formats.points import CAPACITY, RECORD, Writer
from hansard.formats.points_reader import Position, Reader

COUNTING_WRITER = """
import os, sys
from pathlib import Path
from hansard.formats.points import Writer
writer = Writer(Path(sys.argv[1]))
number = 0
while True:
    writer.append("loss" if number % 2 else "accuracy", float(number), number)
    number += 1
    if number % 1000 == 0:
        os.write(1, b"%d\\n" % number)
"""


def values_of(reader: Reader) -> list[float]:
    return [
        record[3] for batch in reader.read_new() for record in RECORD.iter_unpack(batch.records)
    ]


def test_points_come_back_grouped_by_key_in_logged_order(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.append("loss", 1.5, 10)
    writer.append("acc", -0.0)
    writer.append("loss", math.inf)
    (batch,) = Reader(tmp_path).read_new()
    loss, accuracy = batch.columns()
    assert (loss.key, list(loss.steps), list(loss.values)) == ("loss", [10, 11], [1.5, math.inf])
    assert (accuracy.key, list(accuracy.steps)) == ("acc", [0])
    assert abs(loss.times[0] - os.stat(tmp_path).st_mtime * 1000) < 60_000
    writer.close()


def test_a_not_a_number_keeps_its_bits(tmp_path: Path) -> None:
    (odd,) = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF))
    writer = Writer(tmp_path)
    writer.append("loss", odd)
    (batch,) = Reader(tmp_path).read_new()
    assert batch.records[16:24] == struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF)
    writer.close()


def test_a_reader_follows_over_segments_and_resumes_from_its_position(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    reader = Reader(tmp_path)
    seen: list[float] = []
    for number in range(2 * CAPACITY + 5):
        writer.append("loss", float(number))
        if number % 30_000 == 0:
            seen += values_of(reader)
            position: Position = json.loads(json.dumps(reader.position))
            reader = Reader(tmp_path, position)
    seen += values_of(reader)
    assert seen == [float(number) for number in range(2 * CAPACITY + 5)]
    assert reader.read_new() == []
    writer.close()


def test_threads_lose_no_points(tmp_path: Path) -> None:
    writer = Writer(tmp_path)

    def log(key: str) -> None:
        for number in range(2000):
            writer.append(key, float(number))

    threads = [threading.Thread(target=log, args=(f"k{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (batch,) = Reader(tmp_path).read_new()
    for column in batch.columns():
        assert list(column.steps) == list(range(2000))
        assert list(column.values) == [float(number) for number in range(2000)]
    writer.close()


def test_two_writers_in_one_folder_keep_apart(tmp_path: Path) -> None:
    first, second = Writer(tmp_path), Writer(tmp_path)
    first.append("a", 1.0)
    second.append("b", 2.0)
    columns = [column for batch in Reader(tmp_path).read_new() for column in batch.columns()]
    assert sorted((column.key, column.values[0]) for column in columns) == [("a", 1.0), ("b", 2.0)]
    first.close()
    second.close()


def test_sigkill_of_the_writer_loses_no_point_and_shows_no_torn_one(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING_WRITER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    reader = Reader(tmp_path)
    seen: list[float] = []
    acknowledged = 0
    while acknowledged < 60_000:  # more than one segment
        acknowledged = int(process.stdout.readline())
        for batch in reader.read_new():
            for key_id, _, step, value, seconds in RECORD.iter_unpack(batch.records):
                assert batch.keys[key_id] == ("loss" if step % 2 else "accuracy")
                assert seconds > 1e9
                seen.append(value)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    seen += values_of(reader)
    assert len(seen) >= (int(rest[-1]) if rest else acknowledged)
    assert seen == [float(number) for number in range(len(seen))]


def test_a_full_disk_costs_points_but_neither_the_step_nor_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path)
    for _ in range(CAPACITY):
        writer.append("loss", 1.0)

    def full(_: Writer) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(points, "_RETRY_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_new_segment", full)
        with pytest.warns(RuntimeWarning, match="No space"):
            writer.append("loss", 2.0)
        writer.append("loss", 2.0)  # a second warning would be an error
        writer.append("loss", 2.0)
    writer.append("loss", 3.0)
    reader = Reader(tmp_path)
    assert values_of(reader)[CAPACITY:] == [3.0]
    assert reader.lost == 3
    writer.close()


def test_a_file_that_is_no_segment_is_reported(tmp_path: Path) -> None:
    Writer(tmp_path).close()
    next(tmp_path.glob("*.seg")).write_bytes(bytes(points.SEGMENT_BYTES))
    with pytest.raises(ValueError, match="not a point segment"):
        Reader(tmp_path).read_new()
