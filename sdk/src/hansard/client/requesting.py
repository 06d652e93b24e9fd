"""Asking for a run by names, and waiting for its end."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hansard.client import reference
from hansard.client.effect import Flow, Pause
from hansard.client.pushing import find_or_create
from hansard.client.results import Abstraction, Run, Version
from hansard.client.session import Session
from hansard.formats.ids import new_id

Ref: TypeAlias = str | Version | Abstraction
"""An id, a name, `NAME:3` for a version, or what the client answered before."""

SLOT_KINDS = ("model", "loader")
_FIRST_POLL_S = 0.1
_LONGEST_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Fill:
    """What goes into a slot; with `keep` the trained model becomes a version of its own."""

    ref: Ref
    parameters: Mapping[str, Any] = field(default_factory=dict)
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """A run as somebody asks for it."""

    executor: Ref
    slots: Mapping[str, Ref | Fill]
    parameters: Mapping[str, Any]
    experiment: str
    project: str | None
    name: str | None
    resources: Mapping[str, int]
    seed: int | None
    tags: Mapping[str, str]


def request_run(session: Session, wish: Wish) -> Flow[Run]:
    """Resolve the names and ask for the run."""
    project = yield from reference.resolve_project(session, wish.project)
    experiment = wish.experiment
    if reference.id_kind(experiment) is None:
        found = yield from find_or_create(session, "experiment", experiment, project)
        experiment = found["id"]
    slots = {}
    for slot, filled in wish.slots.items():
        fill = filled if isinstance(filled, Fill) else Fill(filled)
        version = yield from _resolved(session, SLOT_KINDS, fill.ref, project)
        slots[slot] = {
            "version": version,
            "parameters": dict(fill.parameters),
            "keep": fill.keep,
        }
    id_ = new_id("run")
    body = {
        "id": id_,
        "experiment": experiment,
        "name": wish.name,
        "executor": (yield from _resolved(session, ("executor",), wish.executor, project)),
        "parameters": dict(wish.parameters),
        "slots": slots,
        "resources": dict(wish.resources),
        "seed": wish.seed,
        "tags": dict(wish.tags),
    }
    yield from session.write("POST", "/v1/runs", body, key=False)
    return (yield from _read(session, id_))


def wait(session: Session, ref: str, timeout_s: float | None) -> Flow[Run]:
    """The run once it has ended. Raises TimeoutError."""
    id_ = yield from reference.resolve(session, "run", ref)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    poll_s = _FIRST_POLL_S
    while True:
        run = yield from _read(session, id_)
        if run.ended:
            return run
        if deadline is not None and time.monotonic() + poll_s > deadline:
            raise TimeoutError(f"{id_} is {run.status} after {timeout_s:g} s")
        yield Pause(poll_s)
        poll_s = min(_LONGEST_POLL_S, poll_s * 1.5)


def _resolved(session: Session, kinds: Sequence[str], ref: Ref, project: str) -> Flow[str]:
    if isinstance(ref, str):
        return (yield from reference.resolve_version(session, kinds, ref, project))
    return ref.id


def _read(session: Session, id_: str) -> Flow[Run]:
    answer = yield from session.get(f"/v1/runs/{id_}")
    return Run.model_validate(answer)
