"""The secrets that a run names: found by name for who asks, and permitted to be used."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from api.access.guard import Guard
from api.commands.findings import Findings
from domain.errors import Invalid, NotFound
from domain.secret import Secret
from domain.secret_references import joined, named_secret, references
from domain.text import is_id
from domain.version import Version
from infra.event_store import Session
from infra.names import named

PARAMETERS = "/parameters"
VARIABLES = "/variables"


async def named_secrets(
    session: Session, guard: Guard, findings: Findings, project: str, places: Mapping[str, str]
) -> dict[str, str]:
    """Ids of secrets by the places that name them; what is refused is found at its place."""
    found: dict[str, str] = {}
    for place, name in places.items():
        with findings.about(_field(place)):
            found[place] = (await usable_secret(session, guard, project, name)).id
    return found


async def usable_secret(session: Session, guard: Guard, project: str, name: str) -> Secret:
    """The secret with this name, or id, in a project.

    Raises Forbidden where it may be seen but not used, and NotFound: in the same words whether it
    is hidden, deleted, elsewhere or not there.
    """
    missing = NotFound(f"there is no secret `{name}` that you see in this run's project")
    sees = partial(guard.sees, session)
    if is_id(name, "secret"):
        found = await session.find(Secret, name, repeats=False)
    else:
        found = await named(session, Secret, "secret", project, name, sees)
    if found is None or found.deleted or found.project != project or not await sees(found):
        raise missing
    await guard.require(session, found, "use")
    if found.archived:
        raise Invalid(f"secret `{name}` is archived: restore it first")
    return found


def places_in_code(
    executor: Version, parameters: Any, slots: Mapping[str, tuple[Version, Any]]
) -> Iterator[tuple[str, str]]:
    """Place and name of each secret that the parameters of a run's parts name."""
    yield from references(_form(executor), parameters, PARAMETERS)
    for slot, (version, given) in slots.items():
        yield from references(_form(version), given, joined("/slots", slot, "parameters"))


def places_in_methods(
    slot: str, forms: Mapping[str, Any], methods: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """The same of what methods of the part in a slot are given."""
    for method, given in methods.items():
        yield from references(forms.get(method), given, joined("/slots", slot, "methods", method))


def places_in_variables(variables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and name of each secret among the variables."""
    for variable, value in variables.items():
        name = named_secret(value)
        if name is not None:
            yield joined(VARIABLES, variable), name


def _form(version: Version) -> Any:
    return version.code["signature"]["parameters"]


def _field(place: str) -> str:
    return place[1:].replace("/", ".")
