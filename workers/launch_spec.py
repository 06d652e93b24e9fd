"""Everything a launcher needs to know to execute one attempt of a run."""

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One attempt, as the dispatcher hands it to a backend; goes through JSON unchanged.

    ``executor`` is {bundle, layers, entry, parameters}, layers being the bundles below its own, the
    lowest first; what is at a place of ``slots`` (`model`, `loaders.0`, `trainer.model`) has these
    and ``keep``, values for its ``methods``, and what its version holds: ``content`` ({artifact,
    root, size, ...} or None) or ``weights`` (a list of single files {path, digest, size}). A
    dataset is {version, content, mode}. ``token`` opens only what this run may read, and is never
    shown; nor are ``secrets``, which the step has as environment variables beside ``variables``,
    and ``secret_parameters``, by the places in parameters that name them (`/parameters/token`,
    `/slots/model/parameters/token`). ``sandbox`` is the level that was set (`auto`: the strongest
    there is), ``least_sandbox`` the one below which it must not start. Amounts of 0 mean what is
    sensible.
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
    workers: int = 1
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    secret_parameters: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def hidden(self) -> dict[str, str]:
        """All values of secrets by what stands in their place where they would be shown."""
        parameters = {place[1:]: value for place, value in self.secret_parameters.items()}
        return {**parameters, **self.secrets}

    @property
    def contents(self) -> list[dict[str, Any]]:
        """What the step reads of the artifact store."""
        parts = [*self.slots.values(), *self.datasets.values()]
        return [part["content"] for part in parts if part["content"] is not None]

    def to_json(self) -> str:
        """One line of JSON with token and secrets: for pipes and memory only."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "LaunchSpec":
        """Raises ValueError or TypeError if the text is no specification."""
        return cls(**json.loads(text))


def pass_spec(spec: LaunchSpec) -> int:
    """A descriptor for a launcher to inherit: a specification in memory, so on no disk."""
    descriptor = os.memfd_create("launch")
    with open(descriptor, "w", closefd=False) as file:
        file.write(spec.to_json())
    return descriptor


def take_spec(descriptor: int) -> LaunchSpec:
    """Read what was passed, and let go of it."""
    with open(descriptor, "rb") as file:
        file.seek(0)
        return LaunchSpec.from_json(file.read().decode())
