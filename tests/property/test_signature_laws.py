"""The static verdict against Python itself: whatever fits statically takes every call for real."""

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.signature_box import Case, fit_of

_NAMES = ("a", "b", "c")
_HEAD = "from typing import Any\n"


@st.composite
def parameter_lists(draw: st.DrawFn) -> str:
    """Parameters after `self`, in any legal order of kinds, some with defaults."""
    names = draw(st.permutations(_NAMES))[: draw(st.integers(0, 3))]
    cuts = sorted((draw(st.integers(0, len(names))), draw(st.integers(0, len(names)))))
    first_default = draw(st.integers(0, cuts[1]))
    positional = [
        f"{name}: int = 0" if place >= first_default else f"{name}: int"
        for place, name in enumerate(names[: cuts[1]])
    ]
    parts = [*positional[: cuts[0]], *(["/"] if cuts[0] else []), *positional[cuts[0] :]]
    keywords = [f"{n}: int{draw(st.sampled_from(['', ' = 0']))}" for n in names[cuts[1] :]]
    star = draw(st.sampled_from(["", "*more: int"]))
    parts += [star or "*"] if star or keywords else []
    parts += keywords
    parts += draw(st.sampled_from([[], [], ["**rest: int"]]))
    return ", ".join(["self", *parts])


def calls(function: Any) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
    """Every way in which places and the names a, b, c and d can be given that the function takes.

    They are called for real: `inspect` is wrong about `(x, /, **rest)` before Python 3.13.
    """
    for count in range(5):
        for size in range(5):
            for names in itertools.combinations((*_NAMES, "d"), size):
                positional, keywords = (0,) * count, dict.fromkeys(names, 0)
                if takes(function, positional, keywords):
                    yield positional, keywords


def takes(function: Any, args: tuple[int, ...], kwargs: dict[str, int]) -> bool:
    try:
        function(None, *args, **kwargs)
    except TypeError:
        return False
    return True


def defined(parameters: str) -> Any:
    space: dict[str, Any] = {}
    exec(f"{_HEAD}def f({parameters}) -> int: ...", space)
    return space["f"]


@settings(max_examples=300, deadline=None)
@given(parameter_lists(), parameter_lists())
def test_what_fits_takes_every_call_that_the_role_allows(role: str, candidate: str) -> None:
    fit = fit_of(Case(f"def f({role}) -> int: ...", f"def f({candidate}) -> int: ..."))
    offered = defined(candidate)
    allowed = list(calls(defined(role)))
    filled = dict.fromkeys(fit.fields.get("f", {}).get("properties", {}), 0)
    taken = [takes(offered, args, {**filled, **kwargs}) for args, kwargs in allowed]
    if fit.verdict == "fits":
        assert all(taken), (role, candidate)
    if fit.verdict == "refused" and not any(" calls `" in reason for reason in fit.reasons):
        assert not all(taken), (role, candidate, fit.reasons)  # what is renamed arrives elsewhere
