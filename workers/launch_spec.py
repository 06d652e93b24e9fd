"""Everything a launcher needs to know to execute one attempt of a run."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One attempt, as the dispatcher hands it to a backend; goes through JSON unchanged.

    ``executor`` is {bundle, layers, entry, parameters}, layers being the bundles below its own, the
    lowest first; what is at a place of ``slots`` (`model`, `loaders.0`, `trainer.model`) has these
    and ``keep``, values for its ``methods``, and what its version holds: ``content`` ({artifact,
    root, size, ...} or None) or ``weights`` (a list of single files {path, digest, size}). A
    dataset is {version, content, mode}. ``token`` opens only what this run may read, and is never
    shown; nor are ``secrets``, which the step has as environment variables beside ``variables``.
    ``sandbox`` is the level that was set (`auto`: the strongest there is), ``least_sandbox`` the
    one below which it must not start. Amounts of 0 mean what is sensible.
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
    datasets: dict[str, dict[str, Any]]
    seed: int
    cpus: int
    gpus: int
    threads: int
    wall_time_s: float
    grace_s: float
    memory_mb: int = 0
    disk_mb: int = 0
    processes: int = 4096
    environments_mb: int = 0
    sandbox: str = "auto"
    least_sandbox: str = "none"
    network: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def contents(self) -> list[dict[str, Any]]:
        """What the step reads of the artifact store."""
        parts = [*self.slots.values(), *self.datasets.values()]
        return [part["content"] for part in parts if part["content"] is not None]

    def to_json(self) -> str:
        """One line of JSON with token and secrets: for pipes and files of mode 0600."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "LaunchSpec":
        """Raises ValueError or TypeError if the text is no specification."""
        return cls(**json.loads(text))


def take_spec(path: Path) -> LaunchSpec:
    """Read a specification and delete its file, so that its secrets are on no disk."""
    text = path.read_text()
    os.unlink(path)
    return LaunchSpec.from_json(text)
