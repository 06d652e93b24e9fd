"""Datasets in step code: found by name, noted once, and stood in for outside of a run."""

import json
from pathlib import Path

import pytest

from hansard.datasets import dataset, dataset_paths, open_reference
from hansard.errors import StepError
from hansard.sources import SourceChanged, open_source, reference
from workers.step_documents import read_notes


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step's folder with a dataset `train`."""
    (tmp_path / "data" / "train" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "train" / "sub" / "a.csv").write_text("1")
    (tmp_path / "data" / "train" / "b.csv").write_text("2")
    part = {"path": "p", "entry": "m:C", "parameters": {}}
    given = {"train": {"path": "data/train", "version": "version-1", "mode": "copy"}}
    document = {"seed": 1, "executor": part, "slots": {}, "datasets": given}
    (tmp_path / "step.json").write_text(json.dumps(document))
    monkeypatch.setenv("HANSARD_STEP_DIR", str(tmp_path))
    return tmp_path


def test_a_dataset_is_a_folder_and_its_reading_is_noted_once(step: Path) -> None:
    assert dataset("train") == step / "data" / "train"
    assert [path.name for path in dataset_paths("train")] == ["b.csv", "a.csv"]
    [line] = (step / "notes.jsonl").read_text().splitlines()
    assert json.loads(line).items() >= {"kind": "read", "version": "version-1"}.items()
    assert list(read_notes(step).read) == ["train"]


def test_an_unknown_dataset_is_an_error_that_names_the_known(step: Path) -> None:
    with pytest.raises(StepError, match=r"`test`.*`train`"):
        dataset("test")
    assert not (step / "notes.jsonl").exists()


def test_outside_of_a_run_a_variable_says_where_datasets_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANSARD_STEP_DIR", raising=False)
    monkeypatch.delenv("HANSARD_DATASETS", raising=False)
    with pytest.raises(StepError, match="HANSARD_DATASETS"):
        dataset("train")
    (tmp_path / "train").mkdir()
    monkeypatch.setenv("HANSARD_DATASETS", str(tmp_path))
    assert dataset("train") == tmp_path / "train"
    with pytest.raises(StepError, match="no folder"):
        dataset("test")


def test_a_reference_opens_its_source_and_notes_what_was_read(step: Path, tmp_path: Path) -> None:
    far = tmp_path / "far.csv"
    far.write_text("a\n1\n")
    with open_source(str(far)) as source:
        document = reference(source)
    (step / "data" / "train" / "reference.json").write_text(json.dumps(document))
    with open_reference("train") as source:
        assert b"".join(source.open("far.csv")) == b"a\n1\n"
    fingerprint = read_notes(step).read["train"]["fingerprint"]
    assert fingerprint["entries_digest"] == document["entries_digest"]
    assert "entries" not in fingerprint
    far.write_text("a\n2\n")
    with pytest.raises(SourceChanged):
        open_reference("train")


def test_a_dataset_of_files_refers_to_no_source(step: Path) -> None:
    assert not (step / "data" / "train" / "reference.json").exists()
    with pytest.raises(StepError, match="refers to no source"):
        open_reference("train")
