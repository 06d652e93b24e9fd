"""Level `none`: a process with an environment and variables of its own, and nothing else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from domain.sandbox import Level
from workers.sandbox.sandbox import Box, Command


class Unconfined:
    """A step that may use and see what the platform's user may."""

    level = Level.NONE
    cuts_network = False
    limits = False

    def problem(self) -> str | None:
        """It works everywhere."""
        return None

    @contextmanager
    def command(self, words: Sequence[str], box: Box) -> Iterator[Command]:
        """As it is."""
        yield Command(words, box.variables)

    def exit_code(self, code: int) -> int:
        """As it is."""
        return code
