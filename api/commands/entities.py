"""Commands that all named entities share: create under a free name, change, archive, share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from api.access.guard import Guard, missing
from domain.aggregate import Aggregate
from domain.entity import Entity
from domain.errors import Conflict
from domain.project import Project
from domain.role import Role
from domain.text import kind_of
from domain.user import User
from infra.event_store import Session
from infra.names import held, reserve
from projections.access.facts import CLASSES

A = TypeVar("A", bound=Aggregate)


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
        saved.append(await reserve(session, entity, entity.name, partial(guard.sees, session)))
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
            left = await held(session, entity, old)
            left.release()
            sees = partial(guard.sees, session)
            reservations = [left, await reserve(session, entity, asked.name, sees)]
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
