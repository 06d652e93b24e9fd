"""Logging from user code keeps every number it accepts and is loud about the others."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch

import hansard
from hansard import run_log
from hansard.formats.columns import Column
from hansard.formats.points_reader import Reader


@pytest.fixture
def step_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(run_log.STEP_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setattr(run_log, "_writer", None)
    yield tmp_path
    if run_log._writer is not None:
        run_log._writer.close()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(run_log.STEP_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(run_log, "_writer", None)
    monkeypatch.setattr(run_log, "_warned", False)


def logged(folder: Path) -> dict[str, Column]:
    return {column.key: column for batch in Reader(folder).read_new() for column in batch.columns()}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.5, 1.5),
        (True, 1.0),
        (2**53, 2.0**53),
        (2**60, 2.0**60),
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3.0),
        (np.array(2.5), 2.5),
        (torch.tensor(1.25, requires_grad=True), 1.25),
        (torch.tensor([7]), 7.0),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (Decimal("0.25"), 0.25),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (np.float16("nan"), math.nan),
    ],
)
def test_numbers_of_every_library_are_kept(step_dir: Path, value: object, kept: float) -> None:
    hansard.log_metric("loss", value)  # type: ignore[arg-type]
    assert list(logged(step_dir)["loss"].values) == pytest.approx([kept], abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("1.5", TypeError),
        (b"1", TypeError),
        (None, TypeError),
        (1j, TypeError),
        ([1.0], TypeError),
        (np.array([1.0, 2.0]), TypeError),
        (torch.zeros(2), TypeError),
        (2**53 + 1, ValueError),
        (np.int64(2**53 + 1), ValueError),
        (torch.tensor(2**53 + 1), ValueError),
        (10**400, ValueError),
    ],
)
def test_what_a_float64_cannot_hold_is_refused(
    step_dir: Path, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        hansard.log_metric("loss", value)  # type: ignore[arg-type]
    assert logged(step_dir) == {}


@pytest.mark.parametrize("key", ["", "x" * 251, "a\nb", "a\0", "\x7f", "\ud800"])
def test_a_bad_key_is_refused_by_every_call(step_dir: Path, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        hansard.log_metric(key, 1.0)
    with pytest.raises(ValueError, match="key"):
        hansard.log_metrics({"good": 1.0, key: 1.0})
    with pytest.raises(ValueError, match="key"):
        hansard.log_params({key: 1})
    with pytest.raises(ValueError, match="key"):
        hansard.log_text(key, "text")
    assert logged(step_dir) == {}
    assert not (step_dir / run_log.NOTES_NAME).exists()


def test_what_the_node_measures_cannot_be_logged(step_dir: Path) -> None:
    with pytest.raises(ValueError, match="reserved"):
        hansard.log_metric("system/cpu_percent", 1.0)
    with pytest.raises(ValueError, match="reserved"):
        hansard.log_metrics({"good": 1.0, "system/x": 1.0})
    assert logged(step_dir) == {}


def test_steps_continue_after_the_last_one_of_their_key(step_dir: Path) -> None:
    for step in (None, 10, None, np.int32(3), None):
        hansard.log_metric("loss", 0.0, step)  # type: ignore[arg-type]
    hansard.log_metrics({"loss": 1.0, "acc": 2.0}, step=50)
    columns = logged(step_dir)
    assert list(columns["loss"].steps) == [0, 10, 11, 3, 4, 50]
    assert list(columns["acc"].steps) == [50]
    with pytest.raises(ValueError, match="int64"):
        hansard.log_metric("loss", 0.0, 2**63)
    with pytest.raises(TypeError):
        hansard.log_metric("loss", 0.0, 1.5)  # type: ignore[arg-type]


def test_params_and_text_are_json_lines_on_disk_when_the_call_returns(step_dir: Path) -> None:
    hansard.log_params({"rate": np.float32(0.5), "layers": (1, 2), "odd": math.nan})
    hansard.log_text("sample", "a\nb")
    first, second = map(json.loads, (step_dir / "notes.jsonl").read_text().splitlines())
    assert first["params"] == {"rate": 0.5, "layers": [1, 2], "odd": "NaN"}
    assert (second["kind"], second["name"], second["text"]) == ("text", "sample", "a\nb")
    with pytest.raises(TypeError, match=r"params\['net'\] is a object"):
        hansard.log_params({"net": object()})
    with pytest.raises(ValueError, match="at most"):
        hansard.log_text("sample", "x" * run_log.MAX_NOTE_BYTES)


@pytest.mark.usefixtures("outside")
def test_outside_a_run_one_warning_is_given_and_arguments_are_still_checked() -> None:
    with pytest.warns(RuntimeWarning, match="hansard run"):
        hansard.log_metric("loss", 1.0)
    hansard.log_metric("loss", 1.0)  # a second warning would be an error
    hansard.log_params({"a": 1})
    with pytest.raises(TypeError):
        hansard.log_metric("loss", "1.0")  # type: ignore[arg-type]


def test_a_forked_child_logs_to_files_of_its_own(tmp_path: Path) -> None:
    code = """
import os, hansard
hansard.log_metric("loss", 1.0)
child = os.fork()
hansard.log_metric("loss", 2.0 if child else 3.0)
if child:
    os.waitpid(child, 0)
"""
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, run_log.STEP_DIR_VARIABLE: str(tmp_path)},
    )
    written = sorted(
        list(column.values) for batch in Reader(tmp_path).read_new() for column in batch.columns()
    )
    assert written == [[1.0, 2.0], [3.0]]


def test_importing_hansard_pulls_in_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import hansard\n"
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(tops - set(sys.stdlib_module_names)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output.strip() == "['hansard']"
