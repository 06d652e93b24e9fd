"""The routes that every named entity has: list, create, read, change, archive, restore."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, status

from api.commands import entities
from api.dependencies import (
    ContextOf,
    ReadOf,
    ServicesOf,
    UserOf,
    answer_one,
    answer_page,
    creation_id,
    page_request,
)
from api.routes.bodies import Change, NewEntity, PageOf, Written
from domain.abstraction import Version
from domain.entity import Entity
from domain.errors import NotFound
from domain.text import kind_of
from infra.event_store import Session
from projections.page import PageRequest, Registry

A = TypeVar("A", Entity, Version)


def read_routes(router: APIRouter, registry: Registry) -> None:
    """Add the list and the single entity of a registry."""

    @router.get("", response_model=PageOf, response_model_exclude_unset=True)
    def list_(
        services: ServicesOf,
        caller: UserOf,
        connection: ReadOf,
        request: Annotated[PageRequest, Depends(page_request(registry))],
    ) -> dict[str, Any]:
        """One page of the list. Filters are query parameters."""
        return answer_page(services, connection, registry, request, caller)

    @router.get("/{id_}")
    def read(id_: str, caller: UserOf, connection: ReadOf) -> dict[str, Any]:
        """The whole entity."""
        return answer_one(connection, registry, id_)


def write_routes(
    router: APIRouter,
    id_kind: str,
    kind: type[Entity],
    new: type[NewEntity],
    build: Callable[[str, Any], Entity],
) -> None:
    """Add creation and change; `build` makes the aggregate from an id and the body."""

    @router.post("", status_code=status.HTTP_201_CREATED)
    async def create(
        body: new,  # type: ignore[valid-type]
        services: ServicesOf,
        caller: UserOf,
        context: ContextOf,
    ) -> Written:
        """Create under a name that is free in its project."""
        asked: NewEntity = body
        id_ = creation_id(id_kind, asked.id, context)
        position = await services.store.run(
            context, lambda session: entities.create(session, build(id_, asked))
        )
        return Written(id=id_, position=position)

    change_routes(router, kind, id_kind)


def change_routes(router: APIRouter, kind: type[Entity], id_kind: str) -> None:
    """Add change, archive and restore; an id of another kind is not found here."""

    @router.patch("/{id_}")
    async def change(
        id_: str, body: Change, services: ServicesOf, caller: UserOf, context: ContextOf
    ) -> Written:
        """Rename, describe or tag."""
        _check_kind(id_, id_kind)

        async def command(session: Session) -> int:
            entity = await session.load(kind, id_)
            return await entities.change(session, entity, body.name, body.description, body.tags)

        return Written(id=id_, position=await services.store.run(context, command))

    archive_routes(router, kind, id_kind)


def archive_routes(router: APIRouter, kind: type[A], id_kind: str) -> None:
    """Add archive and restore."""

    @router.post("/{id_}/archive")
    async def archive(
        id_: str, services: ServicesOf, caller: UserOf, context: ContextOf
    ) -> Written:
        """Hide from lists and close to changes; nothing is deleted."""
        _check_kind(id_, id_kind)
        position = await services.store.run(
            context, lambda session: entities.act(session, kind, id_, kind.archive)
        )
        return Written(id=id_, position=position)

    @router.post("/{id_}/restore")
    async def restore(
        id_: str, services: ServicesOf, caller: UserOf, context: ContextOf
    ) -> Written:
        """Undo archive."""
        _check_kind(id_, id_kind)
        position = await services.store.run(
            context, lambda session: entities.act(session, kind, id_, kind.restore)
        )
        return Written(id=id_, position=position)


def _check_kind(id_: str, kind: str) -> None:
    if kind_of(id_) != kind:
        raise NotFound(f"there is no {kind} {id_}", id=id_)
