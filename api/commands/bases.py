"""Versions that code extends: found by the manifest of a bundle, usable, and not too deep."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.access.guard import Guard
from domain.errors import Invalid
from domain.version import Version
from hansard.formats.layers import MAX_LAYERS
from infra.event_store import Session


@dataclass(frozen=True, slots=True)
class Below:
    """What lies below a bundle: the version that it extends, and bundles, the lowest first."""

    base: str | None = None
    layers: list[str] = field(default_factory=list)


async def find_below(session: Session, guard: Guard, base: Mapping[str, str]) -> Below:
    """What the base in a manifest means.

    Raises NotFound, Forbidden to use it, Conflict for a deleted version, and Invalid for one that
    is archived, has no code or other code than the manifest says, or lies too deep.
    """
    if not base:
        return Below()
    version = await guard.load(session, Version, base["version"], "use", repeats=False)
    version.require_present()
    source = version.code
    if version.archived:
        raise Invalid("the base is archived: restore it first", field="base", id=version.id)
    if source["bundle"] != base["bundle"]:
        raise Invalid("the base has other code than the manifest says", field="base")
    layers = [*source.get("layers", []), source["bundle"]]
    if len(layers) > MAX_LAYERS:
        raise Invalid(f"at most {MAX_LAYERS} versions can extend each other", field="base")
    return Below(version.id, layers)
