"""Events in files and in words: every format has the same rows, and nothing in them is run."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from hansard.cli.event_export import COLUMNS, export
from hansard.cli.event_words import told
from hansard.client import Event

ENTITY = "model-00000000-0000-7000-8000-000000000001"


def an_event(position: int, **more: object) -> Event:
    decision = {"id": "d", "entity": ENTITY, "action": "update", "permitted": True, "rule": "owner"}
    changes = {"name": {"before": "a", "after": "=cmd()"}}
    members: dict[str, object] = {"position": position, "actor": "user-ada"}
    members |= {"time": "2026-07-01T12:00:00Z"}
    members |= {"action": "abstraction.renamed", "kind": "model", "entity": ENTITY, "version": 2}
    members |= {"topic": "abstraction.renamed.v1", "hash": "ab", "data": {"name": "=cmd()"}}
    members |= {"reason": "=HYPERLINK(1)", "changes": changes, "decisions": [decision]}
    return Event.model_validate(members | more)


EVENTS = [an_event(1), an_event(2, reason=None, actor=None, decisions=[])]


def test_a_file_has_a_row_for_each_event_in_every_format(tmp_path: Path) -> None:
    files = {name: tmp_path / f"events.{name}" for name in ("jsonl", "csv", "parquet")}
    for name, file in files.items():
        assert export(iter(EVENTS), name, file) == 2
        assert file.stat().st_mode & 0o077 == 0
    lines = [Event.model_validate_json(line) for line in files["jsonl"].read_text().splitlines()]
    assert lines == EVENTS
    with files["csv"].open(newline="") as opened:
        first, second = csv.DictReader(opened)
    assert tuple(first) == COLUMNS
    assert (first["reason"], first["rule"], second["rule"]) == ("'=HYPERLINK(1)", "owner", "")
    table = pyarrow.parquet.read_table(files["parquet"]).to_pylist()
    assert [row["position"] for row in table] == [1, 2]
    assert table[0]["time"] == EVENTS[0].time
    assert (table[0]["reason"], table[1]["actor"]) == ("=HYPERLINK(1)", None)
    assert json.loads(table[0]["changes"]) == {"name": {"before": "a", "after": "=cmd()"}}


def test_no_file_is_left_where_reading_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[Event]:
        yield EVENTS[0]
        raise TimeoutError

    for name in ("jsonl", "csv", "parquet"):
        with pytest.raises(TimeoutError):
            export(failing(), name, tmp_path / "events")
        assert list(tmp_path.iterdir()) == []


def test_events_are_told_in_words_that_move_no_cursor() -> None:
    first, name, decision = told(an_event(1, reason="because\x1b[2J\u202e"))
    assert first.endswith(f"user-ada  renamed {ENTITY}: because�[2J�")
    assert name == "    name: a -> =cmd()"
    assert decision == "    permitted by rule owner of -"
