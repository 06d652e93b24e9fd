"""Where names are kept: unique within a project and kind, as far as anybody can see.

A name whose holder the caller may not see is given out a second time, in a name space of the
owner's own, so that no answer tells that it is taken.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.entity import Entity
from domain.errors import Conflict
from domain.name import NameReservation, reservation_id
from domain.text import kind_of
from infra.event_store import Session

E = TypeVar("E", bound=Entity)
Sees = Callable[[Entity], Awaitable[bool]]
"""Whether who takes a name sees an entity."""

_EVERYWHERE = "platform"


async def reserve(session: Session, entity: Entity, name: str, sees: Sees) -> NameReservation:
    """The reservation of a name, taken for the entity. Raises Conflict if its holder is seen."""
    found = []
    for place in (_own_place(session, entity, name), _place(entity, name)):
        reservation = await session.find(NameReservation, place, repeats=False)
        holder = reservation.holder if reservation is not None else None
        if holder is not None and await _seen(session, entity, holder, sees):
            raise Conflict("this name is taken", code="name-taken")
        found.append((place, reservation, holder))
    own, shared = found
    place, reservation, holder = shared if shared[2] is None else own
    if reservation is None:
        return NameReservation.reserve(place, entity.id)
    reservation.take(entity.id)
    return reservation


async def named(
    session: Session, kind: type[E], id_kind: str, project: str, name: str, sees: Sees
) -> E | None:
    """The entity that who asks means by a name in a project, if there is one to be seen."""
    for scope in (f"{project} {session.actor}", project):
        place = reservation_id(scope, id_kind, name)
        reservation = await session.find(NameReservation, place, repeats=False)
        if reservation is None or reservation.holder is None:
            continue
        found = await session.find(kind, reservation.holder, repeats=False)
        if found is not None and await sees(found):
            return found
    return None


async def held(session: Session, entity: Entity, name: str) -> NameReservation:
    """The reservation that the entity holds."""
    shared = await session.load(NameReservation, _place(entity, name), repeats=False)
    if shared.holder == entity.id:
        return shared
    return await session.load(NameReservation, _own_place(session, entity, name), repeats=False)


async def _seen(session: Session, entity: Entity, holder: str, sees: Sees) -> bool:
    """Whoever holds the name of an entity is of its kind."""
    if holder == entity.id:
        return True
    found = await session.find(type(entity), holder, repeats=False)
    return found is None or await sees(found)


def _place(entity: Entity, name: str) -> str:
    return reservation_id(entity.project or _EVERYWHERE, kind_of(entity.id), name)


def _own_place(session: Session, entity: Entity, name: str) -> str:
    owner = entity.created_by or session.actor
    return reservation_id(f"{entity.project or _EVERYWHERE} {owner}", kind_of(entity.id), name)
