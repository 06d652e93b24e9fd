"""Which candidates stand in for which roles: the cases of the study, and those it left open."""

import tomllib
from pathlib import Path

import pytest

from domain.signatures.matching import match
from tests.unit.signature_box import Case, fit_of, offer_of


def cases(name: str) -> list[Case]:
    """The table of this name."""
    file = Path(__file__).parent / "signature_cases" / f"{name}.toml"
    return [Case(**case) for case in tomllib.loads(file.read_text())["case"]]


STUDY, OPEN = cases("study"), cases("open")


@pytest.mark.parametrize("case", [*STUDY, *OPEN], ids=lambda case: case.candidate.strip()[:60])
def test_the_verdict_is_as_the_table_says_and_gives_its_reason(case: Case) -> None:
    fit = fit_of(case)
    assert fit.verdict == case.verdict, fit.reasons
    assert case.reason in "; ".join(fit.reasons)
    assert bool(fit.reasons) == (fit.verdict != "fits")


def test_the_tables_are_as_long_as_they_should_be_and_say_nothing_twice() -> None:
    assert len(STUDY) >= 45
    assert len(OPEN) >= 60
    asked = {(case.role, case.candidate, case.around) for case in (*STUDY, *OPEN)}
    assert len(asked) == len(STUDY) + len(OPEN)


def test_no_role_at_all_is_played_by_everything() -> None:
    assert match([], offer_of("def f(self): ...")).verdict == "fits"


def test_what_the_role_does_not_name_is_asked_of_the_user() -> None:
    fit = fit_of(
        Case("def f(self, x: int) -> Any: ...", "def f(self, x: int, lr: float, n: int = 3): ...")
    )
    assert fit.fields == {
        "f": {
            "type": "object",
            "properties": {"lr": {"type": "number"}, "n": {"type": "integer", "default": 3}},
            "required": ["lr"],
            "additionalProperties": False,
        }
    }
