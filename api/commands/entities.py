"""Commands that all named entities share: create under a free name, change, archive, share.

Names are unique within a project as far as anybody can see: a name whose holder the caller may not
see is given out a second time, in a name space of the caller's own, so that no answer tells that it
is taken.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from api.access.facts import CLASSES
from api.access.guard import Guard, missing
from domain.aggregate import Aggregate
from domain.entity import Entity
from domain.errors import Conflict
from domain.name import NameReservation, reservation_id
from domain.project import Project
from domain.role import Role
from domain.text import kind_of
from domain.user import User
from infra.event_store import Session

A = TypeVar("A", bound=Aggregate)

_EVERYWHERE = "platform"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to change of a named entity; None stays."""

    name: str | None
    description: str | None
    tags: dict[str, str] | None


async def create(session: Session, guard: Guard, entity: Entity) -> int:
    """Save a new entity together with the reservation of its name.

    Who opens a project becomes its manager. Raises Conflict `name-taken`, AlreadyDone when this
    very creation was carried out before, Forbidden, and NotFound or Conflict for a project that is
    not there or archived.
    """
    saved: list[Aggregate] = [entity]
    if entity.project is not None:
        (await guard.load(session, Project, entity.project, repeats=False)).require_open()
    await guard.require(session, entity, "create")
    try:
        saved.append(await _reserve(session, guard, entity, entity.name))
    except Conflict:
        await session.refuse_repeated_creation(entity)
        raise
    if isinstance(entity, Project):
        opener = await session.load(User, session.actor, repeats=False)
        opener.grant_role(entity.id, Role.MANAGER)
        saved.append(opener)
    return await session.save(*saved)


async def change(
    session: Session, guard: Guard, kind: type[Entity], id_: str, asked: Changes
) -> int:
    """Rename, describe and tag, as far as given; a new name is reserved and the old one freed."""
    entity = await guard.load(session, kind, id_, "update")
    reservations: list[Aggregate] = []
    if asked.name is not None and asked.name != entity.name:
        old = entity.name
        entity.rename(asked.name)
        if old.casefold() != asked.name.casefold():
            held = await _held(session, entity, old)
            held.release()
            reservations = [held, await _reserve(session, guard, entity, asked.name)]
    if asked.description is not None:
        entity.describe(asked.description)
    if asked.tags is not None:
        entity.tag(asked.tags)
    await guard.require(session, entity, "update")
    return await session.save(entity, *reservations)


async def act(
    session: Session,
    guard: Guard,
    kind: type[A],
    id_: str,
    action: str,
    perform: Callable[[A], None],
) -> int:
    """Do one thing to an entity, if it is permitted as it is and as it will be."""
    entity = await guard.load(session, kind, id_, action)
    perform(entity)
    await guard.require(session, entity, action)
    return await session.save(entity)


async def require_present(session: Session, guard: Guard, ids: Iterable[str]) -> None:
    """Raise NotFound unless the caller sees each of these users and groups."""
    for id_ in dict.fromkeys(ids):
        if kind_of(id_) not in ("user", "group"):
            raise missing(id_)
        await guard.load(session, CLASSES[kind_of(id_)], id_, repeats=False)


async def _reserve(session: Session, guard: Guard, entity: Entity, name: str) -> NameReservation:
    """The reservation of a name, taken for the entity. Raises Conflict if its holder is seen."""
    found = []
    for place in (_own_place(session, entity, name), _place(entity, name)):
        reservation = await session.find(NameReservation, place, repeats=False)
        holder = reservation.holder if reservation is not None else None
        if holder is not None and await _sees(session, guard, entity, holder):
            raise Conflict("this name is taken", code="name-taken")
        found.append((place, reservation, holder))
    own, shared = found
    place, reservation, holder = shared if shared[2] is None else own
    if reservation is None:
        return NameReservation.reserve(place, entity.id)
    reservation.take(entity.id)
    return reservation


async def _sees(session: Session, guard: Guard, entity: Entity, holder: str) -> bool:
    if holder == entity.id:
        return True
    found = await session.find(CLASSES[kind_of(holder)], holder, repeats=False)
    return found is None or await guard.sees(session, found)


async def _held(session: Session, entity: Entity, name: str) -> NameReservation:
    """The reservation that the entity holds."""
    shared = await session.load(NameReservation, _place(entity, name), repeats=False)
    if shared.holder == entity.id:
        return shared
    own = _own_place(session, entity, name)
    return await session.load(NameReservation, own, repeats=False)


def _place(entity: Entity, name: str) -> str:
    return reservation_id(entity.project or _EVERYWHERE, kind_of(entity.id), name)


def _own_place(session: Session, entity: Entity, name: str) -> str:
    owner = entity.created_by or session.actor
    return reservation_id(f"{entity.project or _EVERYWHERE} {owner}", kind_of(entity.id), name)
