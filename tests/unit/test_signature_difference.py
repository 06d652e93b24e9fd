"""The next version number that a change of what a version offers asks for, and why."""

import pytest

from domain.signatures.difference import difference
from domain.signatures.shapes import demanded, digest_of, offered
from tests.unit.signature_box import PRELUDE, signature

MODELS = [
    ("def f(self, x: int) -> int: ...", "def f(self, x: int) -> int: ...", "patch", "nothing"),
    ("def f(self): ...", "def f(self): ...\ndef g(self): ...", "minor", "method `g` is new"),
    ("def f(self): ...\ndef g(self): ...", "def f(self): ...", "major", "has no method `g`"),
    ("def f(self, x: int): ...", "def f(self, x: float): ...", "minor", "`f` takes or says more"),
    ("def f(self, x: float): ...", "def f(self, x: int): ...", "major", "takes int"),
    ("def f(self, x: int): ...", "def f(self, y: int): ...", "major", "calls `y`"),
    ("def f(self) -> int: ...", "def f(self) -> str: ...", "major", "returns str"),
    ("def f(self) -> float: ...", "def f(self) -> int: ...", "minor", "takes or says more"),
    ("def f(self): ...", "def f(self, n: int = 3): ...", "minor", "takes or says more"),
    ("def f(self): ...", "def f(self, n: int): ...", "major", "requires `n`"),
    ("def f(self, x): ...", "def f(self, x, n=3): ...", "minor", "takes or says more"),
    ("def f(self, x): ...", "@odd\ndef f(self, x): ...", "major", "nobody can tell"),
    ("def f(self): ...", "async def f(self): ...", "major", "async"),
    ("size: int", "size: str", "major", "attribute `size` has another type"),
    ("size: int", "sort: int", "major", "has no attribute `size`"),
    ("def f(self) -> Own: ...", "def f(self) -> Own: ...", "patch", "nothing"),
]


@pytest.mark.parametrize(("old", "new", "step", "reason"), MODELS)
def test_the_step_of_a_model(old: str, new: str, step: str, reason: str) -> None:
    def of(body: str, state: int) -> dict[str, object]:
        lines = body.replace("\n", "\n    ")
        return signature(f"{PRELUDE}class Own:\n    a = {state}\nclass C:\n    {lines}\n")

    found = difference(of(old, 1), of(new, 2))
    assert found.step == step, found.reasons
    assert reason in "; ".join(found.reasons)


FORMS = [
    ("a: int", "a: int", "patch", ""),
    ("a: int", "a: int, b: int = 1", "minor", "parameter `b` is new"),
    ("a: int", "a: int, b: int", "major", "parameter `b` must be given"),
    ("a: int, b: int = 1", "a: int", "major", "parameter `b` is gone"),
    ("a: int", "a: int = 3", "minor", "may be left out"),
    ("a: int = 3", "a: int = 4", "minor", "has another default"),
    ("a: int = 3", "a: int", "major", "must be given"),
    ("a: int", "a: float", "minor", "takes more values"),
    ("a: int", "a: int | None", "minor", "takes more values"),
    ("a: int | None", "a: int", "major", "takes other values"),
    ("a: Literal['x']", "a: Literal['x', 'y']", "minor", "takes more values"),
    ("a: Literal['x', 'y']", "a: Literal['x']", "major", "takes other values"),
    ("a: int", "a", "minor", "takes more values"),
]


@pytest.mark.parametrize(("old", "new", "step", "reason"), FORMS)
def test_the_step_of_a_form(old: str, new: str, step: str, reason: str) -> None:
    def of(form: str) -> dict[str, object]:
        return signature(f"{PRELUDE}class C:\n    def __init__(self, {form}): ...\n")

    found = difference(of(old), of(new))
    assert found.step == step, found.reasons
    assert reason in "; ".join(found.reasons)


SLOTS = [
    ("a: Slot[F]", "a: Slot[F]", "patch", ""),
    ("a: Slot[F]", "a: Slot[F] | None", "minor", "may stay empty"),
    ("a: Slot[F] | None", "a: Slot[F]", "major", "must be filled"),
    ("a: Slot[F]", "a: Slots[F]", "minor", "any number"),
    ("a: Slots[F]", "a: Slot[F] | None", "major", "one part only"),
    ("a: Slot[F]", "a: Slot[F]\n    b: Slot[F]", "major", "`b` is new and must be filled"),
    ("a: Slot[F]", "a: Slot[F]\n    b: Slot[F] | None", "minor", "slot `b` is new"),
    ("a: Slot[F]", "b: Slot[F]", "major", "slot `a` is gone"),
    ("a: Slot[F]", "a: Slot[G]", "major", "asks for more: it has no method `g`"),
    ("a: Slot[F]", "a: Slot[All[F, G]]", "major", "asks for more"),
    ("a: Slot[All[F, G]]", "a: Slot[F]", "minor", "asks for less"),
]


@pytest.mark.parametrize(("old", "new", "step", "reason"), SLOTS)
def test_the_step_of_slots(old: str, new: str, step: str, reason: str) -> None:
    roles = "".join(
        f"class {n.upper()}(Protocol):\n    def {n}(self, x: int) -> int: ...\n" for n in "fg"
    )

    def of(slots: str) -> dict[str, object]:
        job = f"class C(Executor):\n    {slots}\n    def execute(self): ...\n"
        return signature(f"{PRELUDE}{roles}{job}", "executor")

    found = difference(of(old), of(new))
    assert found.step == step, found.reasons
    assert reason in "; ".join(found.reasons)


def test_versions_that_offer_the_same_share_a_digest() -> None:
    def of(default: str, doc: str) -> str:
        body = f"    '''{doc}'''\n    def f(self, x: int, n: int = {default}): ...\n"
        return digest_of(offered(signature(f"class C:\n{body}")))

    assert of("3", "old") == of("4", "new")
    other = digest_of(offered(signature("class C:\n    def f(self, x: int): ...\n")))
    assert of("3", "old") != other


def test_slots_that_ask_the_same_share_a_digest_whatever_roles_are_called() -> None:
    def of(name: str, doc: str) -> str:
        role = f"class {name}(Protocol):\n    '''{doc}'''\n    def f(self, x: int): ...\n"
        job = f"class C(Executor):\n    a: Slot[{name}]\n    def execute(self): ...\n"
        return digest_of(demanded(signature(f"{PRELUDE}{role}{job}", "executor"), "a"))

    assert of("One", "this") == of("Two", "that")
