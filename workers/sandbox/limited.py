"""Level `limits`: what a step uses is bounded; it still sees what the platform's user sees."""

import resource

from domain.sandbox import Level
from workers.sandbox.none import Unconfined


class Limited(Unconfined):
    """A step that is bound by limits."""

    level = Level.LIMITS
    limits = True

    def problem(self) -> str | None:
        """Only Linux can set limits on another process."""
        return None if hasattr(resource, "prlimit") else "this system is not Linux"
