"""How strongly a step is kept apart from its node, from the weakest level to the strongest."""

from enum import StrEnum


class Level(StrEnum):
    """A level of isolation. Each does what those before it do."""

    NONE = "none"
    """A process of its own, with an environment and variables of its own."""
    LIMITS = "limits"
    """Its memory, processor time, processes, files and disk are limited."""
    BUBBLEWRAP = "bubblewrap"
    """It sees nothing of the node but what it needs, and no network unless it is granted."""

    def reaches(self, least: "Level") -> bool:
        """Whether this is at least as strong."""
        return self._rank >= least._rank

    @property
    def _rank(self) -> int:
        return list(Level).index(self)


def strongest(levels: "list[Level]") -> Level:
    """The strongest of several levels; `none` of no levels."""
    return max(levels, key=list(Level).index, default=Level.NONE)
