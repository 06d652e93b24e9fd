"""The type of secret parameters, and how their values reach a step's process."""

import copy
import json
import os
import pickle
import traceback
from pathlib import Path

import pytest

from hansard import Secret
from hansard.client_errors import HansardError
from hansard.errors import StepError
from hansard.local.secrets import named_secrets, secret_values
from hansard.plain import plain
from hansard.secret import pack_secrets, put_secret, receive_secrets
from hansard.step_file import STEP_NAME, read_datasets, read_step

VALUE = "hunter2-ünïcode\nline"


def test_a_secret_shows_its_value_to_who_asks_for_it_only() -> None:
    secret = Secret(VALUE)
    assert secret.reveal() == secret.get_secret_value() == VALUE
    shown = [str(secret), repr(secret), f"{secret}", f"{[secret]}", format(secret)]
    assert not [text for text in shown if "hunter2" in text]
    assert copy.deepcopy({"a": secret})["a"] == secret == Secret(VALUE) != Secret("other")
    assert len({secret, Secret(VALUE)}) == 1
    assert secret != VALUE


def test_a_secret_is_neither_pickled_nor_made_json() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(VALUE))
    for attempt in (plain, json.dumps):
        with pytest.raises(TypeError) as caught:
            attempt({"token": Secret(VALUE)})
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(TypeError):
        Secret(b"bytes")  # type: ignore[arg-type]


def test_what_was_packed_is_received_once() -> None:
    reading, writing = os.pipe()
    os.write(writing, pack_secrets([VALUE, "second"]))
    os.close(writing)
    try:
        assert receive_secrets(reading) == [Secret(VALUE), Secret("second")]
        assert os.read(reading, 10) == b""
    finally:
        os.close(reading)


def test_a_secret_is_put_at_its_place() -> None:
    document = {"parameters": {"a/b": {"c~d": ["x", {"secret": "n"}]}}}
    put_secret(document, "/parameters/a~1b/c~0d/1", Secret(VALUE))
    assert document["parameters"]["a/b"]["c~d"] == ["x", Secret(VALUE)]
    with pytest.raises(LookupError):
        put_secret(document, "/parameters/none/x", Secret(VALUE))


def test_a_step_gets_its_secrets_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"path": "p", "entry": "m:C", "parameters": {"token": {"secret": "hub"}}}
    step = {
        "seed": 1,
        "secrets": ["/parameters/token", "/slots/data.0/parameters/token"],
        "executor": part,
        "slots": {"data.0": part},
        "datasets": {"train": {"path": "data/train", "version": "v"}},
    }
    (tmp_path / STEP_NAME).write_text(json.dumps(step))
    monkeypatch.setattr("hansard.step_file.receive_secrets", lambda: [Secret("one"), Secret("two")])
    found = read_step(tmp_path)
    assert found.executor.parameters == {"token": Secret("one")}
    assert found.slots["data.0"].parameters == {"token": Secret("two")}
    monkeypatch.setattr("hansard.step_file.receive_secrets", lambda: json.loads(""))
    assert read_datasets(tmp_path)["train"].version == "v"  # later, by the step's own code
    monkeypatch.setattr("hansard.step_file.receive_secrets", lambda: [Secret("hunter2")])
    with pytest.raises(StepError) as caught:
        read_step(tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_local_run_takes_values_from_the_environment_or_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = dict(named_secrets({"a": [{"secret": "hub token"}], "b": {"secret": 1}}, "/parameters"))
    assert named == {"/parameters/a/0": "hub token"}
    monkeypatch.setenv("HANSARD_SECRET_HUB_TOKEN", VALUE)
    assert secret_values(["hub token", "other"], lambda name: f"asked for {name}") == {
        "hub token": VALUE,
        "other": "asked for other",
    }
    with pytest.raises(HansardError, match="secret `x` has no value here: set HANSARD_SECRET_X"):
        secret_values(["x"], lambda _: "")
