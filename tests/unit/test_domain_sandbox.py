"""Levels of isolation have one order."""

import pytest

from domain.sandbox import Level, strongest


@pytest.mark.parametrize(
    ("level", "least", "expected"),
    [
        ("none", "none", True),
        ("none", "limits", False),
        ("limits", "none", True),
        ("limits", "bubblewrap", False),
        ("bubblewrap", "limits", True),
        ("bubblewrap", "bubblewrap", True),
    ],
)
def test_a_level_reaches_those_before_it(level: str, least: str, expected: bool) -> None:
    assert Level(level).reaches(Level(least)) is expected


def test_the_strongest_of_several_wins() -> None:
    assert strongest([]) is Level.NONE
    assert strongest([Level.LIMITS, Level.BUBBLEWRAP, Level.NONE]) is Level.BUBBLEWRAP
