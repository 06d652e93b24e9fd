"""What a step leaves is read with distrust: sizes, kinds of files, JSON that databases hold."""

import json
from pathlib import Path

import pytest

from workers.step_documents import (
    MAX_NOTES_BYTES,
    DocumentRefused,
    read_failure,
    read_notes,
    read_result,
)


def result(tmp_path: Path, text: str) -> object:
    (tmp_path / "result.json").write_text(text)
    return read_result(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": 1e999}', "1e999"),
        ('{"a": 9223372036854775807}', 2**63 - 1),
        ('{"a": 9223372036854775808}', "9223372036854775808"),
        ('{"a": ' + "9" * 5000 + "}", "9" * 5000),
        ('{"a": "x\\u0000\\ud800y"}', "x\ufffd?y"),
        ('{"a": [{"b": "\\u0000"}]}', [{"b": "\ufffd"}]),
    ],
)
def test_values_that_json_readers_cannot_hold_become_text(
    tmp_path: Path, text: str, value: object
) -> None:
    assert result(tmp_path, text) == {"a": value}


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\xff", '{"a": 1}' + "x"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DocumentRefused):
        result(tmp_path, text)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("{}")
    (tmp_path / "result.json").symlink_to(tmp_path / "other")
    with pytest.raises(DocumentRefused):
        read_result(tmp_path)


def test_nothing_left_is_nothing_read(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    assert read_failure(tmp_path) is None
    assert read_notes(tmp_path).params == {}


def test_notes_that_are_too_much_or_none_are_counted(tmp_path: Path) -> None:
    big = {"kind": "text", "name": "big", "text": "x" * (MAX_NOTES_BYTES // 2)}
    notes = [
        {"kind": "params", "params": {"a": 1}},
        {"kind": "params", "params": {"a": 2, "b": 3}},
        big,
        big,
        {"kind": "text", "name": "last", "text": "y"},
        {"kind": "other"},
    ]
    lines = [json.dumps(note) for note in notes]
    (tmp_path / "notes.jsonl").write_text("\n".join([*lines, "torn {"]))
    found = read_notes(tmp_path)
    assert found.params == {"a": 2, "b": 3}
    assert [text["name"] for text in found.texts] == ["big", "last"]
    assert found.dropped == 3
