"""Code runs: a folder and a command, packed as an executor that runs the command."""

from pathlib import Path

from hansard.formats.bundle import Bundle, pack

MODULE = "hansard_code"
ENTRY = f"{MODULE}:Code"

_SOURCE = b'''"""Runs a command in this folder; written by `hansard run-code`."""

import hansard


class Code(hansard.Command):
    """A command, in the folder that it was packed from."""

    def execute(self, command: list[str]) -> dict[str, int]:
        """Run the command; what it leaves in `outputs` is kept with the run."""
        return super().execute(command)
'''


def pack_code(folder: Path, name: str | None = None) -> Bundle:
    """Pack a folder whatever is in it, under its own name if none is given.

    Raises BundleError under the rules of packing, also for a folder that extends a version.
    """
    name = name or folder.resolve().name
    more = {f"{MODULE}.py": _SOURCE}
    return pack(folder, entry=ENTRY, kind="executor", name=name, more=more)
