"""Looks at everything that a run asks for: exact versions, fit, parameters, results, room, rights.

It goes on behind what is refused, as far as that can be, so that all of it is found at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from api.access.guard import Guard
from api.commands.claims import claimed, variants_wanted
from api.commands.findings import Findings
from api.commands.form_check import checked_values
from api.commands.keeping import check_keep, require_distinct
from api.commands.method_values import check_values, forms_of, missing
from api.commands.replication import Member, members
from api.commands.run_parts import RunRequest, SlotRequest, require_quality, usable_version
from api.commands.secret_references import (
    named_secrets,
    places_in_code,
    places_in_methods,
    places_in_variables,
)
from domain.errors import Invalid
from domain.experiment import Experiment
from domain.plain_data import checked_json
from domain.project import DEFAULT_PROJECT, Project
from domain.resources import Resources
from domain.run import checked_datasets
from domain.signatures.matching import Offer, match, roles_of_slot
from domain.signatures.slots import Role
from domain.slots import Slot, fillings, slots_of
from domain.text import checked_name, checked_tags
from domain.variables import checked_variables
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
    versions: dict[str, Version] = field(default_factory=dict)  # by place in the slots
    datasets: dict[str, Version] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, dict[str, Any]] = field(default_factory=dict)  # as the record has them
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)  # of methods, by place
    resources: Resources = field(default_factory=Resources)
    claim: dict[str, Any] = field(default_factory=dict)
    variants: tuple[str, ...] = ()  # of accelerators that its environment is locked for
    secrets: dict[str, str] = field(default_factory=dict)  # ids by the places that name them

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
    names = {name: name for name in found.versions}
    if found.executor is not None:
        names = _check_slots(found, found.executor, asked)
        found.parameters = _completed(
            found.findings, "parameters", found.executor, asked.parameters
        )
    found.versions = {place: found.versions[name] for place, name in names.items()}
    for place, version in found.versions.items():
        part = asked.slots[names[place]]
        found.slots[place] = await _filled(session, guard, found, place, part, version)
    with about("slots"):
        require_distinct(asked.slots)
    await _find_secrets(session, guard, asked, found)
    with about("resources"):
        found.resources = Resources.requested(asked.resources)
        present = await nodes.present()
        found.variants = variants_wanted(found.resources, asked.claim["pool"], present)
        found.claim = await claimed(session, guard, asked.claim, found.resources, present)
    with about("name"):
        checked_name(asked.name or "unnamed")
    with about("tags"):
        checked_tags(asked.tags)
    with about("variables"):
        checked_variables(asked.variables)
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


async def _find_secrets(
    session: Session, guard: Guard, asked: RunRequest, found: Examination
) -> None:
    if found.experiment is None or found.experiment.project is None:
        return
    places = dict(places_in_variables(asked.variables))
    if found.executor is not None:
        filled = {
            place: (version, found.slots[place]["parameters"])
            for place, version in found.versions.items()
        }
        places |= places_in_code(found.executor, found.parameters, filled)
        for place, part in found.slots.items():
            forms = found.forms.get(place, {})
            places |= dict(places_in_methods(place, forms, part["methods"]))
    project = found.experiment.project
    found.secrets = await named_secrets(session, guard, found.findings, project, places)


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
    methods = check_values(
        findings, f"slots.{slot}.methods", found.forms.get(slot, {}), part.methods
    )
    with findings.about(f"slots.{slot}.keep"):
        await check_keep(session, guard, slot, part, version, found.members)
    return {
        "version": version.id,
        "parameters": parameters,
        "methods": methods,
        "keep": str(part.keep),
        "name": part.name,
    }


def _check_slots(found: Examination, executor: Version, asked: RunRequest) -> dict[str, str]:
    """Find what is wrong with the slots; answers what is at each place by its name in the request.

    What has no slot is at its name.
    """
    versions = found.versions

    def slots_in(name: str) -> dict[str, Slot]:
        return slots_of(versions[name].code["signature"]) if name in versions else {}

    placed, wrong = fillings(slots_of(executor.code["signature"]), asked.slots, slots_in)
    for refusal in wrong:
        found.findings.add("slots", refusal)
    for filling in placed:
        owner = versions[filling.owner] if filling.owner else executor
        if filling.asked in versions:
            with found.findings.about(f"slots.{filling.place}"):
                roles = roles_of_slot(owner.code["signature"], filling.slot)
                part = asked.slots[filling.asked]
                _check_fit(found, filling.place, roles, versions[filling.asked], part)
    places = {filling.asked: filling.place for filling in placed}
    return {places.get(name, name): name for name in versions}


def _check_fit(
    found: Examination, place: str, roles: Sequence[Role], version: Version, part: SlotRequest
) -> None:
    """What nobody can tell before it runs is let through."""
    fit = match(roles, Offer.of(version.code["signature"]))
    forms = found.forms[place] = forms_of(fit, version.kind)
    reasons = list(fit.reasons) if fit.verdict == "refused" else missing(forms, part.methods)
    if reasons:
        names = " and ".join(role.name for role in roles)
        raise Invalid(
            f"slot `{place}` asks for {names}, and this {version.kind} does not fit: {reasons[0]}",
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
        given = checked_values(findings, field_, schema, given)
    defaults = {n: p["default"] for n, p in schema["properties"].items() if "default" in p}
    return {**defaults, **given}
