"""Asking for a run by names, and waiting for its end."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

from hansard.client import reference
from hansard.client.effect import Flow, Pause
from hansard.client.pushing import find_or_create
from hansard.client.results import Abstraction, Run, Version
from hansard.client.run_results import RunGroup, Verdict
from hansard.client.session import Session
from hansard.client_errors import NotFound
from hansard.formats.ids import new_id

Ref: TypeAlias = str | Version | Abstraction
"""An id, a name, `NAME:3` for a version, or what the client answered before."""

T = TypeVar("T")

SLOT_KINDS = ("model", "loader")
_FIRST_POLL_S = 0.1
_LONGEST_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Fill:
    """What goes into a slot, and what becomes of the model trained in it.

    `keep` is `none` (or False), `version` (or True) for a new version of the same model, or `model`
    for a new model called `name`. `methods` has by method what it takes beyond what the slot's
    roles give it.
    """

    ref: Ref
    parameters: Mapping[str, Any] = field(default_factory=dict)
    keep: bool | Literal["none", "version", "model"] = "none"
    name: str | None = None
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


Slots: TypeAlias = Mapping[str, Ref | Fill | Sequence[Ref | Fill]]
"""By slot what fills it, a list where it takes many; or by place: `loaders.0`, `trainer.model`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A run as somebody asks for it, or one with each of several seeds."""

    executor: Ref
    slots: Slots
    parameters: Mapping[str, Any]
    seeds: int | Sequence[int] | None = None
    experiment: str = "default"
    project: str | None = None
    name: str | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    pool: str | None = None
    priority: int | None = None
    group: str | None = None


class Terms(TypedDict, total=False):
    """How runs are asked for, besides their parts: as `Client.run` takes it."""

    experiment: str
    project: str | None
    name: str | None
    resources: Mapping[str, Any]
    seed: int | None
    tags: Mapping[str, str]
    variables: Mapping[str, Any]  # text, or {"secret": name}
    pool: str | None
    priority: int | None
    group: str | None  # whose shares and quotas count


def request_run(session: Session, wish: Wish) -> Flow[Run]:
    """Resolve the names and ask for the run."""
    id_ = new_id("run")
    yield from _ask(session, id_, wish)
    return (yield from _read(session, id_))


def request_group(session: Session, wish: Wish) -> Flow[RunGroup]:
    """The same for a run with each of several seeds."""
    id_ = new_id("rungroup")
    yield from _ask(session, id_, wish)
    return (yield from read_group(session, id_, {}))


def validate(session: Session, wish: Wish) -> Flow[Verdict]:
    """Resolve the names and ask what would stand against the run; an experiment is not made."""
    project = yield from reference.resolve_project(session, wish.project)
    experiment: str | None = wish.experiment
    if reference.id_kind(wish.experiment) is None:
        found = yield from reference.find(session, "experiment", wish.experiment, project)
        experiment = found["id"] if found else None
    body = yield from _body(session, wish, project, experiment)
    body["project"] = project
    answer = yield from session.write("POST", "/v1/launch/validate", body, key=False)
    return Verdict.model_validate(answer)


def read_group(session: Session, id_: str, query: Mapping[str, Any]) -> Flow[RunGroup]:
    """A group of runs as it is now."""
    answer = yield from session.get(f"/v1/run-groups/{id_}", query)
    return RunGroup.model_validate(answer)


def wait_for_group(session: Session, id_: str, timeout_s: float | None) -> Flow[RunGroup]:
    """The group once all of its runs have ended. Raises TimeoutError."""

    def look() -> Flow[tuple[RunGroup, str | None]]:
        group = yield from read_group(session, id_, {})
        left = [run for run in group.runs if not run.ended]
        return group, f"{len(left)} of {len(group.runs)} runs have not ended" if left else None

    return (yield from _until(look, id_, timeout_s))


def _ask(session: Session, id_: str, wish: Wish) -> Flow[None]:
    """Resolve the names and ask for what will have this id."""
    project = yield from reference.resolve_project(session, wish.project)
    experiment = wish.experiment
    if reference.id_kind(experiment) is None:
        found = yield from find_or_create(session, "experiment", experiment, project)
        experiment = found["id"]
    body = yield from _body(session, wish, project, experiment)
    yield from session.write("POST", "/v1/runs", {"id": id_, **body}, key=False)


def _body(
    session: Session, wish: Wish, project: str, experiment: str | None
) -> Flow[dict[str, Any]]:
    """What the server takes."""
    slots: dict[str, Any] = {}
    for slot, filled in wish.slots.items():
        if isinstance(filled, list | tuple):
            slots[slot] = []
            for each in filled:
                slots[slot].append((yield from _part(session, each, project)))
        else:
            slots[slot] = yield from _part(session, filled, project)
    return {
        "experiment": experiment,
        "name": wish.name,
        "executor": (yield from _resolved(session, ("executor",), wish.executor, project)),
        "parameters": dict(wish.parameters),
        "slots": slots,
        "resources": dict(wish.resources),
        "seed": wish.seed,
        "seeds": list(wish.seeds) if isinstance(wish.seeds, Sequence) else wish.seeds,
        "tags": dict(wish.tags),
        "variables": dict(wish.variables),
        **(yield from _claim(session, wish)),
    }


def _claim(session: Session, wish: Wish) -> Flow[dict[str, Any]]:
    """What it claims of the hardware, as far as that is said."""
    said = {"pool": wish.pool, "priority": wish.priority, "group": wish.group}
    claim = {name: value for name, value in said.items() if value is not None}
    if wish.group is not None:
        claim["group"] = yield from reference.resolve(session, "group", wish.group)
    return claim


def _part(session: Session, filled: Any, project: str) -> Flow[dict[str, Any]]:
    fill = filled if isinstance(filled, Fill) else Fill(filled)
    part = {
        "version": (yield from _filling(session, fill.ref, project)),
        "parameters": dict(fill.parameters),
        "keep": fill.keep,
        "name": fill.name,
    }
    if fill.methods:
        part["methods"] = {method: dict(values) for method, values in fill.methods.items()}
    return part


def wait(session: Session, ref: str, timeout_s: float | None) -> Flow[Run]:
    """The run once it has ended. Raises TimeoutError."""
    id_ = yield from reference.resolve(session, "run", ref)

    def look() -> Flow[tuple[Run, str | None]]:
        run = yield from _read(session, id_)
        return run, None if run.ended else f"it is {run.status}"

    return (yield from _until(look, id_, timeout_s))


def _until(
    look: Callable[[], Flow[tuple[T, str | None]]], id_: str, timeout_s: float | None
) -> Flow[T]:
    """What a look finds, once nothing is missing from it. Raises TimeoutError."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    poll_s = _FIRST_POLL_S
    while True:
        found, missing = yield from look()
        if missing is None:
            return found
        if deadline is not None and time.monotonic() + poll_s > deadline:
            raise TimeoutError(f"{id_}: {missing} after {timeout_s:g} s")
        yield Pause(poll_s)
        poll_s = min(_LONGEST_POLL_S, poll_s * 1.5)


def _filling(session: Session, ref: Ref, project: str) -> Flow[str]:
    """What fills a slot: a model or loader, or an executor where none of these has the name."""
    try:
        return (yield from _resolved(session, SLOT_KINDS, ref, project))
    except NotFound as missing:
        try:
            return (yield from _resolved(session, ("executor",), ref, project))
        except NotFound:
            raise missing from None


def _resolved(session: Session, kinds: Sequence[str], ref: Ref, project: str) -> Flow[str]:
    if isinstance(ref, str):
        return (yield from reference.resolve_version(session, kinds, ref, project))
    return ref.id


def _read(session: Session, id_: str) -> Flow[Run]:
    answer = yield from session.get(f"/v1/runs/{id_}")
    return Run.model_validate(answer)
