"""What the launcher needs of a level of isolation, and what a level needs to know of a step."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from domain.sandbox import Level
from workers.sandbox.bounds import Bounds


@dataclass(frozen=True, slots=True)
class Box:
    """What a step may see and use: its folder, its python, variables, and how much.

    ``home`` is a folder outside of the step's own, for what a level has to write down.
    """

    step: Path
    home: Path
    python: Path
    variables: Mapping[str, str]
    network: bool
    gpus: int
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: a command with variables of its own, and descriptors it inherits."""

    words: Sequence[str]
    variables: Mapping[str, str]
    descriptors: tuple[int, ...] = ()


class Sandbox(Protocol):
    """A level of isolation on this node."""

    @property
    def level(self) -> Level:
        """Recorded with each attempt."""

    @property
    def cuts_network(self) -> bool:
        """Whether a step has no network unless it is granted."""

    def problem(self) -> str | None:
        """Why it does not work on this node; None where it does."""

    @property
    def limits(self) -> bool:
        """Whether a step is held to limits."""

    def command(self, words: Sequence[str], box: Box) -> AbstractContextManager[Command]:
        """The command that runs ``words`` in the box; use it within the block."""

    def exit_code(self, code: int) -> int:
        """What the command's exit code says of the step: N, or -N for death by signal N."""
