"""Asking for runs: every part is resolved to an exact version and checked, then recorded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.access.guard import Guard
from api.commands.examination import Examination, examine
from api.commands.replication import Member
from api.commands.run_parts import RunRequest
from api.locks import Locks
from domain.errors import Invalid
from domain.run import Run
from domain.scheduling import DEFAULT_POOL
from infra.environments.locks import LockFailed
from infra.event_store import AlreadyDone, Session
from infra.nodes import Nodes


@dataclass(frozen=True, slots=True)
class Asked:
    """Runs that are in the record, up to a position."""

    runs: list[str]
    position: int
    repeated: bool = False


async def required(
    session: Session, guard: Guard, asked: RunRequest, nodes: Nodes
) -> tuple[list[str], tuple[str, ...]]:
    """What the parts of a run require, and of which variants.

    Locking it can take minutes, so that comes first. Raises DomainError for what stands against the
    run.
    """
    found = await examine(session, guard, asked, nodes)
    found.findings.require_none()
    return found.requirements, found.variants


async def looked_at(
    session: Session, guard: Guard, asked: RunRequest, locks: Locks, nodes: Nodes
) -> tuple[Examination, list[Run]]:
    """Everything that is checked, rights included, and the runs if there is enough to make them.

    Raises LockFailed while the index of packages is out of reach.
    """
    found = await examine(session, guard, asked, nodes)
    lock = await _locked(found, locks)
    runs = list(_runs(guard, asked, found, lock))
    for run in runs:
        with found.findings.about("experiment"):
            if asked.experiment is not None:  # what is still to be made is the caller's own
                await guard.require(session, run, "create")
        with found.findings.about("resources"):
            await _require_allocation(session, guard, run)
    return found, runs


async def request_runs(
    session: Session, guard: Guard, asked: RunRequest, locks: Locks, nodes: Nodes
) -> Asked:
    """Check and record a run, or a group of runs: all or none.

    Raises Invalid, NotFound and LockFailed with what to change, and Forbidden.
    """
    found, runs = await looked_at(session, guard, asked, locks, nodes)
    ids = [run.id for run in runs]
    try:
        if found.findings.refusals and runs:
            await session.refuse_repeated_creation(runs[0])
        found.findings.require_none()
        return Asked(ids, await session.save(*runs))
    except AlreadyDone as done:
        return Asked(ids, done.position + len(runs) - 1, repeated=True)


async def _locked(found: Examination, locks: Locks) -> str:
    if found.executor is None or found.findings.refusals:
        return ""
    try:
        return await locks.digest(found.requirements, found.variants)
    except LockFailed as failure:
        if failure.retryable:
            raise
        found.findings.add("requirements", Invalid(failure.detail, code="requirements"))
        return ""


async def _require_allocation(session: Session, guard: Guard, run: Run) -> None:
    allocation = _allocation(run.resources, run.project, run.pool, run.priority)
    await guard.require_allocation(session, run.id, allocation)


def _allocation(
    resources: dict[str, Any], project: str | None, pool: str, priority: int
) -> dict[str, Any]:
    """What is asked of the hardware, as policies see it."""
    return {**resources, "project": project, "pool": pool, "priority": priority}


def _runs(guard: Guard, asked: RunRequest, found: Examination, lock: str) -> Iterator[Run]:
    """The runs, as far as anybody can say what they are of; what was refused may be missing."""
    if found.experiment is None or found.executor is None:
        return
    entry = found.executor.code["entry"].rpartition(":")[2]
    group = {"id": asked.id, "seeds": list(asked.seeds)} if asked.grouped else None
    wanted, project = found.resources.as_dict(), found.experiment.project
    hardware = _allocation(
        wanted, project, found.claim.get("pool", DEFAULT_POOL), found.claim.get("priority", 0)
    )
    resources = found.resources.isolated(guard.demanded_sandbox(hardware))
    for member in found.members:
        yield Run.request(
            member.id,
            project=found.experiment.project,
            experiment=found.experiment.id,
            name=member.named(asked.name or f"{entry} {asked.id[-6:]}"),
            executor=found.executor.id,
            parameters=found.parameters,
            slots={slot: _of_member(filled, member) for slot, filled in found.slots.items()},
            datasets={alias: version.id for alias, version in found.datasets.items()},
            resources=resources.as_dict(),
            lock=lock,
            seed=member.seed,
            tags=asked.tags,
            run_group=group,
            variables=asked.variables,
            claim=found.claim,
            secrets=found.secrets,
        )


def _of_member(filled: dict[str, Any], member: Member) -> dict[str, Any]:
    """Each run of a group has a new model of its own."""
    name = filled.get("name")
    return filled if name is None else {**filled, "name": member.named(name)}
