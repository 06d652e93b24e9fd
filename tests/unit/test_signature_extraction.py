"""Signatures read from source: entry classes, base classes, layers, slots and roles."""

from typing import Any

import pytest

from domain.errors import Invalid
from domain.plain_data import flaw
from domain.signatures.extraction import extract, roles_of
from domain.signatures.first_format import translated
from domain.signatures.matching import Offer, match, roles_of_slot
from domain.signatures.sources import Sources
from infra.shipped_roles import sdk_sources
from tests.unit.signature_box import PRELUDE, signature


def names(found: dict[str, Any], method: str) -> list[str]:
    return [each["name"] for each in found["methods"][method]["parameters"]]


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


SLOTS = [
    ("Slot[A]", ["A"], False, False),
    ("'Slot[A]'", ["A"], False, False),
    ("hansard.Slot[A]", ["A"], False, False),
    ("Slot[A] | None", ["A"], False, True),
    ("None | Slot[A]", ["A"], False, True),
    ("'Slot[A] | None'", ["A"], False, True),
    ("Optional[Slot[A]]", ["A"], False, True),
    ("Slots[A]", ["A"], True, True),
    ("list[Slot[A]]", ["A"], True, True),
    ("Slot[All[A, B]]", ["A", "B"], False, False),
    ("Slots[All[A, B]]", ["A", "B"], True, True),
    ("Slot['A']", ["A"], False, False),
]


@pytest.mark.parametrize(("annotation", "roles", "many", "optional"), SLOTS)
def test_each_way_to_declare_a_slot(
    annotation: str, roles: list[str], many: bool, optional: bool
) -> None:
    protocols = "".join(f"class {n}(Protocol):\n    def f{n}(self): ...\n" for n in "AB")
    job = (
        f"class C(Executor):\n    part: {annotation}\n    plain: int\n    def execute(self): ...\n"
    )
    found = signature(f"{PRELUDE}\nimport hansard\n{protocols}{job}", "executor")
    assert found["slots"] == {"part": {"roles": roles, "many": many, "optional": optional}}
    assert [list(found["roles"][name]["methods"]) for name in roles] == [[f"f{n}"] for n in roles]


@pytest.mark.parametrize("annotation", ["int", "'Slot['", "'\\0'", "Slot", "dict[str, Slot[A]]"])
def test_what_is_no_slot(annotation: str) -> None:
    source = f"class C:\n    part: {annotation}\n    def execute(self): ...\n"
    assert signature(source, "executor")["slots"] == {}


def test_slots_are_inherited_first_and_can_be_declared_anew() -> None:
    found = signature(
        "from hansard import Executor, Predictor, Slot, Trainable\n"
        "class B(Executor):\n    a: Slot[Trainable]\n    b: Slot[Predictor]\n"
        "class C(B):\n    b: Slot[Predictor] | None\n    c: Slot[Predictor]\n"
        "    def execute(self): ...\n",
        "executor",
    )
    assert list(found["slots"]) == ["a", "b", "c"]
    assert found["slots"]["b"]["optional"] is True


def test_roles_of_one_name_from_two_modules_are_told_apart() -> None:
    found = signature(
        "from hansard import Executor, Slot\nimport x, y\n"
        "class C(Executor):\n    a: Slot[x.R]\n    b: Slot[y.R]\n    def execute(self): ...\n",
        "executor",
        x="from typing import Protocol\nclass R(Protocol):\n    def f(self): ...\n",
        y="from typing import Protocol\nclass R(Protocol):\n    def g(self): ...\n",
    )
    assert [slot["roles"] for slot in found["slots"].values()] == [["R"], ["R 2"]]
    assert [list(role["methods"]) for role in found["roles"].values()] == [["f"], ["g"]]


def test_a_role_whose_source_is_not_there_is_left_unchecked() -> None:
    found = signature(
        "from hansard import Slot\nfrom lib import R\n"
        "class C:\n    a: Slot[R]\n    def execute(self): ...\n",
        "executor",
    )
    fit = match(roles_of_slot(found, "a"), Offer({}))
    assert (fit.verdict, fit.reasons) == ("unchecked", ("the source of role `R` is not there",))


def test_an_executor_without_execute_is_refused() -> None:
    for source in ("class C: ...\n", "from hansard import Executor\nclass C(Executor): ...\n"):
        with pytest.raises(Invalid, match="execute"):
            signature(source, "executor")


@pytest.mark.parametrize("entry", ["m:D", "n:C", "m.sub:C", "m:f", "m:x"])
def test_an_entry_that_is_not_there_is_refused(entry: str) -> None:
    with pytest.raises(Invalid) as refused:
        signature("class C: ...\ndef f(): ...\nx = 1\n", entry=entry)
    assert refused.value.context["field"] == "entry"


def test_an_entry_may_be_imported_from_another_module() -> None:
    found = signature("from inner import D as C\n", inner="class D:\n    def g(self): ...\n")
    assert list(found["methods"]) == ["g"]


def test_methods_are_inherited_across_modules_and_overridden() -> None:
    found = signature(
        "from base import Base as B\nclass C(B):\n    def train(self, data): ...\n",
        base="class Root:\n    def __init__(self, width): ...\n"
        "class Base(Root):\n    def train(self): ...\n    def save(self, folder): ...\n",
    )
    assert names(found, "train") == ["data"]
    assert "save" in found["methods"]
    assert found["parameters"]["required"] == ["width"]


def test_methods_come_in_the_order_that_python_looks_them_up() -> None:
    found = signature(
        "class A:\n    def f(self, a): ...\nclass L(A): ...\n"
        "class R(A):\n    def f(self, r): ...\nclass C(L, R): ...\n"
    )
    assert names(found, "f") == ["r"]


def test_modules_of_a_layer_below_are_seen_and_can_be_overlaid() -> None:
    base = {
        "net.py": b"from tools import T\nclass Net(T):\n    def f(self, old): ...\n",
        "tools.py": b"class T:\n    def g(self, x): ...\n",
    }
    below = Sources(base, sdk_sources())
    changed = {"tools.py": b"class T:\n    def h(self): ...\n"}
    assert list(extract(below, "net:Net", "model")["methods"]) == ["f", "g"]
    over = extract(Sources({**base, **changed}, sdk_sources()), "net:Net", "model")
    assert list(over["methods"]) == ["f", "h"]
    user = Sources({"m.py": b"from net import Net\nclass C(Net): ...\n"}, below)
    assert list(extract(user, "m:C", "model")["methods"]) == ["f", "g"]


def test_classes_that_derive_from_one_another_come_to_an_end() -> None:
    found = signature("class C(D): ...\nclass D(C):\n    def load(self): ...\n")
    assert "load" in found["methods"]
    assert found["doubts"]


def test_private_methods_are_nobodys_business() -> None:
    found = signature("class C:\n    def _a(self): ...\n    def b(self): ...\n")
    assert list(found["methods"]) == ["b"]


@pytest.mark.parametrize(
    "source",
    [
        "class C:\n    def __init__(self, a=b'x', b={1, 2}, c=1j, d=..., e=2**70, f={1: 2}): ...\n",
        f"class C:\n    def __init__(self, a={2**70}, b=1e999, c='\\0', d='\\ud800'): ...\n",
        "class C:\n    def __init__(self, a: Literal[b'x', M.A], b: Literal[1j]): ...\n",
        "class C:\n    '''doc \\0 \\ud800'''\n",
        "class C:\n    def f(self, a: '\\0', b: 'int[', c: \"'x'\", d: Literal['\\0']): ...\n",
        "class C:\n    def f(self, a: list[list[list[list[int]]]] = [[[[1]]]]): ...\n",
    ],
)
def test_whatever_the_source_says_the_signature_can_be_stored(source: str) -> None:
    assert flaw(signature(source)) is None


def test_sources_that_are_no_python_say_which_file_and_why() -> None:
    for source, why in (("def (", "line 1"), ("x = 1\0", "null bytes"), ("x" * 3_000_000, "MiB")):
        with pytest.raises(Invalid, match=why) as refused:
            signature("from other import D as C\n", other=source)
        assert refused.value.context["field"] == "other.py"


def test_a_class_of_too_many_members_is_refused() -> None:
    body = "".join(f"    def f{n}(self): ...\n" for n in range(301))
    with pytest.raises(Invalid, match="more than 300"):
        signature(f"class C:\n{body}")


def test_the_roles_of_the_sdk_are_read_from_its_source() -> None:
    roles = roles_of(sdk_sources(), "hansard.roles")
    assert {"Trainable", "Predictor", "SupervisedData"} <= roles.keys()
    assert "load" in roles["SupervisedData"].methods
    assert not any(role.unchecked for role in roles.values() if role.name.endswith("Predictor"))


OLD = {
    "parameters": {"type": "object", "properties": {"epochs": {"type": "integer"}}},
    "methods": {
        "train": [
            {"name": "data", "kind": "named", "required": True},
            {"name": "labels", "kind": "named", "required": True},
            {"name": "more", "kind": "keywords", "required": False},
        ],
        "save": [],
    },
    "slots": {
        "model": {"role": "Trainable", "optional": False},
        "spare": {"role": "Mine", "optional": True},
    },
    "doc": "words",
}


def test_a_signature_of_the_first_format_reads_like_one_of_today() -> None:
    found = translated(OLD)
    assert found.keys() == signature("class C: ...\n").keys()
    assert found["slots"]["spare"] == {"roles": ["Mine"], "many": False, "optional": True}
    assert found["parameters"] == OLD["parameters"]
    assert match(roles_of_slot(found, "spare"), Offer({})).verdict == "unchecked"
    old = match(roles_of_slot(found, "model"), Offer.of(found))
    assert old.verdict == "unchecked"
    assert match(roles_of_slot(found, "model"), Offer({})).reasons == ("it has no method `train`",)
