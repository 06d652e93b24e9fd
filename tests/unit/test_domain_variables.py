"""Which environment variables a run may give to its step."""

import pytest

from domain.errors import Invalid
from domain.variables import MAX_VARIABLES, checked_variables


def test_variables_of_ones_own_pass_unchanged() -> None:
    given = {"DATA_MODE": "small", "_x9": "", "Name": "words = and 'quotes'\n"}
    assert checked_variables(given) == given


@pytest.mark.parametrize("name", ["", "9A", "a b", "a=b", "ä", "a-b", "A" * 129, "A\n"])
def test_what_no_variable_can_be_called_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_variables({name: "x"})
    assert caught.value.context["field"] == "variables"


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LD_PRELOAD", "PYTHONPATH", "HANSARD_TOKEN", "OMP_NUM_THREADS", "TZ"]
)
def test_what_the_platform_sets_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="set by the platform"):
        checked_variables({name: "x"})


@pytest.mark.parametrize(
    "variables",
    [
        {f"V{number}": "" for number in range(MAX_VARIABLES + 1)},
        {"A": "x" * 70_000},
        {"A": "\0"},
        {"A": "\ud800"},
    ],
)
def test_too_much_and_what_cannot_be_stored_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        checked_variables(variables)
