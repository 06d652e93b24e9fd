"""The parts of a run that is asked for: exact versions, seen, usable, and fit for use."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from api.access.guard import Guard
from domain.abstraction import Abstraction
from domain.errors import Conflict, Invalid, NotFound
from domain.keep import Keep
from domain.text import kind_of
from domain.version import Version
from infra.event_store import Session
from infra.expectations import read_expectations


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """What to put in a slot: a version, or an abstraction for its latest one."""

    version: str
    parameters: dict[str, Any]
    keep: Keep
    name: str | None  # of the new model, if it is kept as one
    methods: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # beyond what roles give


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run as somebody asks for it, or one for each of several seeds."""

    id: str  # of the run, or of the group of runs
    experiment: str | None  # None only where one would still be made, in `project`
    project: str | None
    name: str | None
    executor: str
    parameters: dict[str, Any]
    slots: Mapping[str, SlotRequest]  # by place; a slot of many may give its only part as its own
    datasets: Mapping[str, str]  # name to a version, or a dataset for its latest one
    resources: dict[str, Any]
    seeds: Sequence[int]
    grouped: bool
    tags: dict[str, str]
    variables: dict[str, Any]  # text, or {secret: name}
    claim: dict[str, Any]  # {pool, priority, group}


async def usable_version(
    session: Session, guard: Guard, id_: str, kind: str | None, project: str | None
) -> Version:
    """The version with this id, or the latest one of the abstraction with this id.

    Raises NotFound, also outside of a project if that is known, Invalid, Forbidden, and Conflict
    `version-deleted`, `quarantined`.
    """
    if kind_of(id_) != "version":
        id_ = await _latest(session, await guard.load(session, Abstraction, id_, "use"))
    version = await guard.load(session, Version, id_, "use")
    if project is not None and version.project != project:
        raise NotFound(f"there is no version {id_} in this experiment's project", id=id_)
    if kind is not None and version.kind != kind:
        raise Invalid(f"{id_} is a version of a {version.kind}, not of a {kind}", id=id_)
    _require_usable(version)
    return version


async def _latest(session: Session, abstraction: Abstraction) -> str:
    """The newest version that is not deleted."""
    for id_ in reversed(abstraction.versions):
        if not (await session.load(Version, id_, repeats=False)).deleted:
            return id_
    raise Invalid(f"`{abstraction.name}` has no version yet: push one", id=abstraction.id)


def _require_usable(version: Version) -> None:
    version.require_present()
    if version.archived:
        raise Invalid("this version is archived: restore it first", id=version.id)
    if version.content is not None and version.content["quarantined"]:
        raise Conflict("this version is in quarantine", code="quarantined", id=version.id)


async def require_quality(session: Session, name: str, version: Version) -> None:
    """Raise Conflict for data that fails what is expected of it now, or was not held against it.

    Having failed earlier expectations blocks nothing; those that only warn are not waited for.
    """
    dataset = await session.load(Abstraction, version.abstraction, repeats=False)
    text = dataset.expectations
    if text is None:
        return
    about = {"code": "quality", "field": f"datasets.{name}", "version": version.id}
    if version.expectations == sha256(text.encode()).hexdigest():
        if version.blocked:
            detail = f"dataset `{name}` does not meet its expectations: see `checks` of its version"
            raise Conflict(detail, **about)
    elif (await asyncio.to_thread(read_expectations, text)).on_failure == "block":
        detail = f"dataset `{name}` has not been held against its expectations yet: try again soon"
        raise Conflict(detail, **about)
