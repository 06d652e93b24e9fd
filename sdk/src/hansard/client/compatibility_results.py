"""What the client answers about what fits where."""

from datetime import datetime
from typing import Any, Literal

from hansard.client.results import Maskable, Result, Step

Verdict = Literal["fits", "unchecked", "refused"]


class Compatible(Maskable):
    """A version, of the model, loader or executor called `name`, that a list of what fits shows."""

    id: str
    abstraction: str
    kind: Literal["executor", "model", "loader"]
    name: str | None
    project: str
    number: int
    description: str
    tags: dict[str, str]
    aliases: tuple[str, ...]
    created_by: str
    created_at: datetime


class Candidate(Compatible):
    """A version that can fill a slot.

    `unchecked` is what only running it can tell. `fields` are by method the JSON Schema of what
    a user gives beyond what the role gives.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    fields: dict[str, dict[str, Any]]


class SlotFit(Result):
    """How a version fits a slot, which asks for one part or many that play all of the roles."""

    roles: tuple[str, ...]
    many: bool
    optional: bool
    verdict: Verdict
    reasons: tuple[str, ...] = ()


class Taker(Compatible):
    """A version of an executor, with the slots that can be filled, by name."""

    slots: dict[str, SlotFit]


class Difference(Step):
    """What changed for those who use it between two versions, by number."""

    old: int
    new: int
