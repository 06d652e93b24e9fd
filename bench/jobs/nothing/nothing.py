"""Does nothing."""

import hansard


class Nothing(hansard.Executor):
    """A step without work of its own."""

    def execute(self) -> None:
        """Return."""
