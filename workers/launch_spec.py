"""Everything a launcher needs to know to execute one attempt of a run."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One attempt, as the dispatcher hands it to a backend; goes through JSON unchanged.

    ``executor`` is {bundle, entry, parameters}; a slot has these and ``weights`` (a list of {path,
    digest, size}) and ``keep``. ``token`` opens this run's files only, and is never shown.
    """

    run: str
    attempt: int
    project: str
    experiment: str
    node: str
    fence: int
    api_url: str
    token: str = field(repr=False)
    work: str
    environments: str
    lock: str
    executor: dict[str, Any]
    slots: dict[str, dict[str, Any]]
    seed: int
    cpus: int
    gpus: int
    threads: int
    wall_time_s: float
    grace_s: float

    def to_json(self) -> str:
        """One line of JSON. It holds the token: for pipes and files of mode 0600."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "LaunchSpec":
        """Raises ValueError or TypeError if the text is no specification."""
        return cls(**json.loads(text))


def take_spec(path: Path) -> LaunchSpec:
    """Read a specification and delete its file, so that the token is on no disk."""
    text = path.read_text()
    os.unlink(path)
    return LaunchSpec.from_json(text)
