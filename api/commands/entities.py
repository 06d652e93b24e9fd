"""Commands that all named entities share: create under a free name, change, archive, restore."""

from collections.abc import Callable
from typing import TypeVar

from domain.aggregate import Aggregate
from domain.entity import Entity
from domain.errors import Conflict
from domain.name import NameReservation, reservation_id
from domain.project import Project
from domain.text import kind_of
from infra.event_store import Session

A = TypeVar("A", bound=Aggregate)

_EVERYWHERE = "platform"


async def create(session: Session, entity: Entity) -> int:
    """Save a new entity together with the reservation of its name.

    Raises Conflict `name-taken`, AlreadyDone when this very creation was carried out before, and
    NotFound or Conflict for a project that is not there or archived.
    """
    try:
        reservation = await _reserve(session, entity, entity.name)
    except Conflict:
        await session.refuse_repeated_creation(entity)
        raise
    if entity.project is not None:
        (await session.load(Project, entity.project)).require_open()
    return await session.save(entity, reservation)


async def change(
    session: Session,
    entity: Entity,
    name: str | None = None,
    description: str | None = None,
    tags: dict[str, str] | None = None,
) -> int:
    """Rename, describe and tag, as far as given; a new name is reserved and the old one freed."""
    reservations: list[Aggregate] = []
    if name is not None and name != entity.name:
        old = entity.name
        entity.rename(name)
        if old.casefold() != name.casefold():
            held = await session.load(NameReservation, _place(entity, old))
            held.release()
            reservations = [held, await _reserve(session, entity, name)]
    if description is not None:
        entity.describe(description)
    if tags is not None:
        entity.tag(tags)
    return await session.save(entity, *reservations)


async def act(session: Session, kind: type[A], id_: str, action: Callable[[A], None]) -> int:
    """Load an aggregate, do one thing to it, save it."""
    entity = await session.load(kind, id_)
    action(entity)
    return await session.save(entity)


async def _reserve(session: Session, entity: Entity, name: str) -> NameReservation:
    place = _place(entity, name)
    reservation = await session.find(NameReservation, place, repeats=False)
    if reservation is None:
        return NameReservation.reserve(place, entity.id)
    reservation.take(entity.id)
    return reservation


def _place(entity: Entity, name: str) -> str:
    return reservation_id(entity.project or _EVERYWHERE, kind_of(entity.id), name)
