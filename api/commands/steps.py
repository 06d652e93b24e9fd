"""What the next number of SemVer should be, for a version that has just been published."""

from api.access.guard import Guard
from domain.abstraction import Abstraction
from domain.errors import NotFound
from domain.signatures.difference import Difference, difference
from domain.version import Version
from infra.event_store import Session

_LOOKED_BACK = 10


async def proposed_step(
    session: Session, guard: Guard, abstraction_id: str, version_id: str
) -> Difference | None:
    """The difference from the last version before it with code; None without one to be seen."""
    version = await session.load(Version, version_id, repeats=False)
    if version.source is None:
        return None
    abstraction = await session.load(Abstraction, abstraction_id, repeats=False)
    before = abstraction.versions[: version.number - 1][-_LOOKED_BACK:]
    for id_ in reversed(before):
        earlier = await session.load(Version, id_, repeats=False)
        if earlier.source is not None and not earlier.deleted:
            if not await _shown(session, guard, id_):
                return None
            return difference(earlier.code["signature"], version.code["signature"])
    return None


async def _shown(session: Session, guard: Guard, id_: str) -> bool:
    try:
        permit = await guard.permit(session, Version, id_)
    except NotFound:
        return False
    return "source" not in permit.masked
