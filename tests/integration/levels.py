"""The levels of isolation, of which some may not work on the machine that tests run on."""

import tempfile
from pathlib import Path

import pytest

from domain.sandbox import Level
from workers.sandbox.bubblewrap import Bubblewrap


def _problem() -> str | None:
    with tempfile.TemporaryDirectory() as notes:
        return Bubblewrap(Path(notes)).problem()


PROBLEM = _problem()
STRONGEST = Level.LIMITS if PROBLEM else Level.BUBBLEWRAP
"""What `auto` comes to here."""

needs_bubblewrap = pytest.mark.skipif(PROBLEM is not None, reason=str(PROBLEM))
LEVELS = ("none", "limits", pytest.param("bubblewrap", marks=needs_bubblewrap))
