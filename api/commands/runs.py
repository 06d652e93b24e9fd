"""Asking for a run: every part is resolved to an exact version and checked, then recorded."""

import random
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from api.access.guard import Guard
from api.commands.run_parts import Parts, RunRequest, resolve
from api.locks import Locks
from domain.abstraction import Abstraction
from domain.errors import Invalid
from domain.plain_data import checked_json
from domain.resources import Resources, never_fits
from domain.run import Run
from domain.signatures.matching import Offer, match, roles_of_slot
from domain.version import Version
from infra.event_store import Session
from infra.nodes import Nodes


async def required(session: Session, guard: Guard, asked: RunRequest) -> list[str]:
    """What the parts of a run require: locking it can take minutes, so that comes first."""
    return _requirements(await resolve(session, guard, asked))


async def request_run(
    session: Session, guard: Guard, asked: RunRequest, locks: Locks, nodes: Nodes
) -> int:
    """Check and record a run.

    Raises Invalid, NotFound and LockFailed with what to change, and Forbidden.
    """
    parts = await resolve(session, guard, asked)
    experiment, executor = parts.experiment, parts.executor
    experiment.require_open()
    _check_slots(executor, parts.slots)
    parameters = _completed("parameters", executor, asked.parameters)
    slots = {
        slot: {
            "version": version.id,
            "parameters": _completed(f"slots.{slot}.parameters", version, part.parameters),
            "keep": part.keep and await _may_keep(session, guard, slot, version),
        }
        for (slot, part), version in zip(asked.slots.items(), parts.slots.values(), strict=True)
    }
    resources = Resources.requested(asked.resources)
    await _check_room(resources, nodes)
    run = Run.request(
        asked.id,
        project=experiment.project,
        experiment=experiment.id,
        name=asked.name or f"{executor.code['entry'].rpartition(':')[2]} {asked.id[-6:]}",
        executor=executor.id,
        parameters=parameters,
        slots=slots,
        datasets={alias: version.id for alias, version in parts.datasets.items()},
        resources=resources.as_dict(),
        lock=await locks.digest(_requirements(parts)),
        seed=_seed(asked),
        tags=asked.tags,
    )
    await guard.require(session, run, "create")
    allocation = {**run.resources, "project": run.project, "pool": "default", "priority": 0}
    await guard.require_allocation(session, run.id, allocation)
    return await session.save(run)


def _requirements(parts: Parts) -> list[str]:
    versions = [parts.executor, *parts.slots.values()]
    return [requirement for version in versions for requirement in version.code["requirements"]]


def _seed(asked: RunRequest) -> int:
    """The seed asked for, or one drawn from the id, so that a repeated request is the same run."""
    if asked.seed is not None:
        return asked.seed
    return random.Random(asked.id).randrange(2**31)  # noqa: S311 - a seed, not a secret


def _check_slots(executor: Version, parts: Mapping[str, Version]) -> None:
    slots: dict[str, Any] = executor.code["signature"]["slots"]
    for name in parts.keys() - slots.keys():
        raise Invalid(f"the executor has no slot `{name}`", field=f"slots.{name}")
    for name, slot in slots.items():
        if name in parts:
            _check_fit(name, executor, parts[name])
        elif not slot["optional"]:
            detail = f"slot `{name}` ({', '.join(slot['roles'])}) is empty"
            raise Invalid(detail, field=f"slots.{name}")


def _check_fit(slot: str, executor: Version, version: Version) -> None:
    """What nobody can tell before it runs is let through."""
    roles = roles_of_slot(executor.code["signature"], slot)
    fit = match(roles, Offer.of(version.code["signature"]))
    reasons = list(fit.reasons) if fit.verdict == "refused" else fit.missing
    if reasons:
        names = " and ".join(role.name for role in roles)
        raise Invalid(
            f"slot `{slot}` asks for {names}, and this {version.kind} does not fit: {reasons[0]}",
            code="misfit",
            field=f"slots.{slot}",
            reasons=reasons,
        )


def _completed(field: str, version: Version, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters with defaults filled in. Raises Invalid, naming the first that is wrong."""
    checked_json(given, field)
    schema = version.code["signature"]["parameters"]
    error = next(iter(Draft202012Validator(schema).iter_errors(given)), None)
    if error is not None:
        where = ".".join([field, *map(str, error.absolute_path)])
        raise Invalid(f"{where}: {error.message}", field=where)
    defaults = {n: p["default"] for n, p in schema["properties"].items() if "default" in p}
    return {**defaults, **given}


async def _may_keep(session: Session, guard: Guard, slot: str, version: Version) -> bool:
    """True: what the run leaves becomes a version. Raises Invalid, and Forbidden to publish it."""
    if version.kind != "model":
        raise Invalid(f"slot `{slot}` holds no model that could be kept", field=f"slots.{slot}")
    if "save" not in version.code["signature"]["methods"]:
        raise Invalid(
            f"the model in slot `{slot}` has no method `save`: it cannot be kept",
            field=f"slots.{slot}",
        )
    await guard.load(session, Abstraction, version.abstraction, "publish", repeats=False)
    return True


async def _check_room(resources: Resources, nodes: Nodes) -> None:
    present = [node.resources for node in await nodes.present()]
    reason = never_fits(resources, present)
    if reason is not None:
        raise Invalid(reason, code="no-such-resources", field="resources")
