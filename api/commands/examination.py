"""Looks at everything that a run asks for: exact versions, fit, parameters, results, room, rights.

It goes on behind what is refused, as far as that can be, so that all of it is found at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from api.access.guard import Guard
from api.commands.findings import Findings
from api.commands.keeping import check_keep, require_distinct
from api.commands.replication import Member, members
from api.commands.run_parts import RunRequest, SlotRequest, require_quality, usable_version
from domain.errors import Invalid
from domain.experiment import Experiment
from domain.plain_data import checked_json
from domain.project import DEFAULT_PROJECT, Project
from domain.resources import Resources, never_fits
from domain.run import checked_datasets
from domain.signatures.matching import Offer, match, roles_of_slot
from domain.text import checked_name, checked_tags
from domain.version import Version
from hansard.formats.ids import new_id
from infra.event_store import Session
from infra.nodes import Nodes


@dataclass(slots=True)
class Examination:
    """What a request comes to, as far as nothing stands against it."""

    findings: Findings = field(default_factory=Findings)
    members: list[Member] = field(default_factory=list)
    experiment: Experiment | None = None
    executor: Version | None = None
    versions: dict[str, Version] = field(default_factory=dict)  # by slot
    datasets: dict[str, Version] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, dict[str, Any]] = field(default_factory=dict)  # as the record has them
    resources: Resources = field(default_factory=Resources)

    @property
    def requirements(self) -> list[str]:
        """What all code of the run requires."""
        versions = [] if self.executor is None else [self.executor, *self.versions.values()]
        return [each for version in versions for each in version.code["requirements"]]


async def examine(session: Session, guard: Guard, asked: RunRequest, nodes: Nodes) -> Examination:
    """Look at all of it; raises nothing for what is wrong with the request."""
    found = Examination()
    about = found.findings.about
    with about("id"):
        found.members += members(asked)
    await _find_parts(session, guard, asked, found)
    if found.executor is not None:
        _check_slots(found.findings, found.executor, asked, found.versions)
        found.parameters = _completed(
            found.findings, "parameters", found.executor, asked.parameters
        )
    for slot, version in found.versions.items():
        part = asked.slots[slot]
        found.slots[slot] = await _filled(session, guard, found, slot, part, version)
    with about("slots"):
        require_distinct(asked.slots)
    with about("resources"):
        found.resources = Resources.requested(asked.resources)
        await _check_room(found.resources, nodes)
    with about("name"):
        checked_name(asked.name or "unnamed")
    with about("tags"):
        checked_tags(asked.tags)
    with about("datasets"):
        checked_datasets({name: version.id for name, version in found.datasets.items()})
    return found


async def _find_parts(
    session: Session, guard: Guard, asked: RunRequest, found: Examination
) -> None:
    """The experiment, the executor, and what goes into each slot, seen and usable."""
    about, project = found.findings.about, None
    with about("experiment"):
        found.experiment = await _experiment(session, guard, asked)
        project = found.experiment.project
    with about("executor"):
        found.executor = await usable_version(session, guard, asked.executor, "executor", project)
        found.executor.code  # noqa: B018 - raises Invalid where there is none
    for slot, part in asked.slots.items():
        with about(f"slots.{slot}"):
            version = await usable_version(session, guard, part.version, None, project)
            version.code  # noqa: B018 - same
            found.versions[slot] = version
    for name, id_ in asked.datasets.items():
        with about(f"datasets.{name}"):
            version = await usable_version(session, guard, id_, "dataset", project)
            await require_quality(session, name, version)
            found.datasets[name] = version
    with about("experiment"):
        if found.experiment is not None:
            found.experiment.require_open()


async def _experiment(session: Session, guard: Guard, asked: RunRequest) -> Experiment:
    """The experiment, or one that could be made. Raises NotFound, Forbidden, and Conflict."""
    if asked.experiment is not None:
        return await guard.load(session, Experiment, asked.experiment)
    project = await guard.load(session, Project, asked.project or DEFAULT_PROJECT, repeats=False)
    project.require_open()
    experiment = Experiment.create(new_id("experiment"), project.id, "to be made")
    await guard.require(session, experiment, "create")
    return experiment


async def _filled(
    session: Session,
    guard: Guard,
    found: Examination,
    slot: str,
    part: SlotRequest,
    version: Version,
) -> dict[str, Any]:
    """What is in a slot, for the record."""
    findings = found.findings
    parameters = _completed(findings, f"slots.{slot}.parameters", version, part.parameters)
    with findings.about(f"slots.{slot}.keep"):
        await check_keep(session, guard, slot, part, version, found.members)
    return {
        "version": version.id,
        "parameters": parameters,
        "keep": str(part.keep),
        "name": part.name,
    }


def _check_slots(
    findings: Findings, executor: Version, asked: RunRequest, versions: Mapping[str, Version]
) -> None:
    slots: dict[str, Any] = executor.code["signature"]["slots"]
    for name in asked.slots.keys() - slots.keys():
        findings.add(f"slots.{name}", Invalid(f"the executor has no slot `{name}`"))
    for name, slot in slots.items():
        with findings.about(f"slots.{name}"):
            if name in versions:
                _check_fit(name, executor, versions[name])
            elif not slot["optional"] and name not in asked.slots:
                raise Invalid(f"slot `{name}` ({', '.join(slot['roles'])}) is empty")


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
            reasons=reasons,
        )


def _completed(
    findings: Findings, field_: str, version: Version, given: dict[str, Any]
) -> dict[str, Any]:
    """The parameters with defaults filled in; each that is wrong is found."""
    schema = version.code["signature"]["parameters"]
    with findings.about(field_):
        checked_json(given, field_)
        for error in Draft202012Validator(schema).iter_errors(given):
            where = ".".join([field_, *map(str, error.absolute_path)])
            findings.add(where, Invalid(f"{where}: {error.message}"))
    defaults = {n: p["default"] for n, p in schema["properties"].items() if "default" in p}
    return {**defaults, **given}


async def _check_room(resources: Resources, nodes: Nodes) -> None:
    present = [node.resources for node in await nodes.present()]
    reason = never_fits(resources, present)
    if reason is not None:
        raise Invalid(reason, code="no-such-resources")
