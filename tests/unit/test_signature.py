"""Signatures read from source: forms, slots, methods, base classes, and whether a part fits."""

from typing import Any

import pytest

from domain.errors import Invalid
from domain.plain_data import flaw
from domain.signature import extract, misfits
from infra.shipped_roles import shipped_roles


def signature(source: str, kind: str = "model", entry: str = "m:C", **more: str) -> dict[str, Any]:
    files = {"m.py": source} | {f"{name}.py": text for name, text in more.items()}
    return extract({name: text.encode() for name, text in files.items()}, entry, kind)


def test_a_models_form_is_its_constructor() -> None:
    found = signature(
        'class C:\n    """A net."""\n    def __init__(self, width: int = 8, *, deep: bool): ...\n'
    )
    assert found["doc"] == "A net."
    assert found["parameters"]["properties"] == {
        "width": {"type": "integer", "default": 8},
        "deep": {"type": "boolean"},
    }
    assert found["parameters"]["required"] == ["deep"]
    assert found["slots"] == {}


def test_an_executors_form_is_execute_and_its_slots_are_annotations() -> None:
    found = signature(
        "class C:\n"
        "    model: hansard.Slot[hansard.Trainable]\n"
        "    spare: 'Slot[Predictor] | None'\n"
        "    plain: int\n"
        "    broken: 'Slot['\n"
        "    odd: '\\0'\n"
        "    def execute(self, epochs: int = 3): ...\n",
        "executor",
    )
    assert found["slots"] == {
        "model": {"role": "Trainable", "optional": False},
        "spare": {"role": "Predictor", "optional": True},
    }
    assert list(found["parameters"]["properties"]) == ["epochs"]


def test_an_executor_without_execute_is_refused() -> None:
    with pytest.raises(Invalid, match="execute"):
        signature("class C: ...\n", "executor")


@pytest.mark.parametrize("entry", ["m:D", "n:C", "m.sub:C"])
def test_an_entry_that_is_not_there_is_refused(entry: str) -> None:
    with pytest.raises(Invalid) as refused:
        signature("class C: ...\n", entry=entry)
    assert refused.value.context["field"] == "entry"


def test_methods_are_inherited_across_modules_and_overridden() -> None:
    found = signature(
        "from base import Base as B\nclass C(B):\n    def train(self, data): ...\n",
        base="class Base(Root):\n    def train(self): ...\n    def save(self, folder): ...\n"
        "class Root:\n    def __init__(self, width): ...\n",
    )
    assert [p["name"] for p in found["methods"]["train"]] == ["data"]
    assert "save" in found["methods"]
    assert found["parameters"]["required"] == ["width"]


def test_classes_that_derive_from_one_another_come_to_an_end() -> None:
    found = signature("class C(D): ...\nclass D(C):\n    def load(self): ...\n")
    assert "load" in found["methods"]


def test_private_methods_are_nobodys_business() -> None:
    assert signature("class C:\n    def _a(self): ...\n    def b(self): ...\n")["methods"] == {
        "b": []
    }


@pytest.mark.parametrize(
    "source",
    [
        "class C:\n    def __init__(self, a=b'x', b={1, 2}, c=1j, d=..., e=2**70, f={1: 2}): ...\n",
        f"class C:\n    def __init__(self, a={2**70}, b=1e999, c='\\0', d='\\ud800'): ...\n",
        "class C:\n    def __init__(self, a: Literal[b'x', M.A], b: Literal[1j]): ...\n",
        "class C:\n    '''doc \\0 \\ud800'''\n",
        "class C:\n    def __init__(self, a: '\\0', b: 'int[', c: \"'x'\"): ...\n",
    ],
)
def test_whatever_the_source_says_the_signature_can_be_stored(source: str) -> None:
    assert flaw(signature(source)) is None


ROLE = {"train": [{"name": "data", "kind": "named", "required": True}]}


def methods(source: str) -> dict[str, Any]:
    found: dict[str, Any] = signature(f"class C:\n    {source}\n")["methods"]
    return found


@pytest.mark.parametrize(
    "source",
    [
        "def train(self, data): ...",
        "def train(self, data, epochs=3): ...",
        "def train(self, **anything): ...",
        "def train(self, *, data): ...",
    ],
)
def test_such_a_method_fits_the_role(source: str) -> None:
    assert misfits(ROLE, methods(source)) == []


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def fit(self, data): ...", "no method `train`"),
        ("def train(self): ...", "does not accept `data`"),
        ("def train(self, data, labels): ...", "requires `labels`"),
    ],
)
def test_such_a_method_does_not_fit_and_the_reason_names_it(source: str, why: str) -> None:
    assert why in misfits(ROLE, methods(source))[0]


def test_the_roles_of_the_sdk_are_read_from_its_source() -> None:
    roles = shipped_roles()
    assert {"Trainable", "Predictor", "SupervisedData"} <= roles.keys()
    assert "load" in roles["SupervisedData"]
