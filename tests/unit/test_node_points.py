"""Points move to the outbox once each, wherever the one who moves them dies."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hansard.formats.frames import MAX_FRAME_BYTES, unpack_metrics
from hansard.formats.journal import Journal
from hansard.formats.outbox import read_from
from hansard.formats.points import MAX_KEY_CHARS, Writer
from hansard.point_pump import FRAME_POINTS, PointPump, PointsDamaged
from workers.attempt_folder import AttemptFolder


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    (tmp_path / "step").mkdir()
    return AttemptFolder(tmp_path)


def pump_all(folder: AttemptFolder) -> PointPump:
    with Journal(folder.outbox) as journal:
        pump = PointPump(folder.step, folder.points, journal)
        while pump.pump():
            pass
        return pump


def values(folder: AttemptFolder) -> list[float]:
    return [
        value
        for frame, _ in read_from(folder.outbox)
        for column in unpack_metrics(frame.payload)
        for value in column.values
    ]


class Killed(BaseException):
    """What SIGKILL does, within this process."""


@pytest.mark.parametrize("when", ["before the frame", "after the frame"])
def test_a_death_around_a_frame_loses_and_doubles_nothing(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    writers = [Writer(folder.step), Writer(folder.step)]
    for n in range(3 * FRAME_POINTS):
        writers[n % 2].append("n", n)
    appended: Callable[..., None] = Journal.metrics

    def append_and_die(journal: Journal, columns: Any) -> None:
        if journal.seq == 1:
            if when == "after the frame":
                appended(journal, columns)
            raise Killed
        appended(journal, columns)

    monkeypatch.setattr(Journal, "metrics", append_and_die)
    with pytest.raises(Killed):
        pump_all(folder)
    monkeypatch.undo()
    writers[0].append("n", -1)
    pump_all(folder)
    assert sorted(values(folder)) == [-1, *range(3 * FRAME_POINTS)]
    for writer in writers:
        writer.close()


def test_as_many_long_keys_as_points_fit_into_frames(folder: AttemptFolder) -> None:
    writer = Writer(folder.step)
    for n in range(FRAME_POINTS + 10):
        writer.append(f"{n:05}".ljust(MAX_KEY_CHARS, "é"), n)
    pump = pump_all(folder)
    assert pump.root.count == FRAME_POINTS + 10
    assert all(len(frame.to_bytes()) <= MAX_FRAME_BYTES for frame, _ in read_from(folder.outbox))
    writer.close()


@pytest.mark.parametrize("damage", ["segment", "keys", "short"])
def test_tampered_files_are_damage_and_no_crash(folder: AttemptFolder, damage: str) -> None:
    writer = Writer(folder.step)
    writer.append("a", 1.0)
    writer.close()
    (segment,), (keys,) = folder.step.glob("*.seg"), folder.step.glob("keys.*")
    match damage:
        case "segment":
            segment.write_bytes(b"x" * segment.stat().st_size)
        case "keys":
            keys.write_bytes(b"{not json\n")
        case _:
            segment.write_bytes(segment.read_bytes()[:100])
    with pytest.raises(PointsDamaged):
        pump_all(folder)


def test_figures_of_the_node_cannot_be_forged_in_the_files(folder: AttemptFolder) -> None:
    writer = Writer(folder.step)
    writer.append("system/cpu_percent", 1.0)
    writer.close()
    with pytest.raises(PointsDamaged, match="system/"):
        pump_all(folder)
    assert not list(read_from(folder.outbox))


def test_the_note_is_whole_at_any_moment(folder: AttemptFolder) -> None:
    writer = Writer(folder.step)
    writer.append("a", 1.0)
    pump_all(folder)
    assert json.loads(folder.points.read_bytes())["seq"] == 1
    writer.close()
