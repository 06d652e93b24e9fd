"""The routes that every named entity has: list, create, read, change, archive, restore, share."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, status
from pydantic import Field

from api.access.guard import missing
from api.commands import entities
from api.dependencies import (
    AccessOf,
    ContextOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    answer_one,
    answer_page,
    creation_id,
    page_request,
    permit_of,
)
from api.routes.bodies import Body, Change, Id, NewEntity, PageOf, Written
from domain.entity import Entity
from domain.sharing import Shareable
from domain.text import kind_of
from domain.version import Version
from infra.event_store import Session
from policies.access import Permit
from projections.page import PageRequest, Registry, read_facet

A = TypeVar("A", Entity, Version)


class Sharing(Body):
    """Who may see it besides its owner: everything as it is to be."""

    visibility: str = "private"
    groups: Annotated[list[Id], Field(max_length=100)] = []
    users: Annotated[list[Id], Field(max_length=100)] = []


class Embargo(Body):
    """Until when only the owner sees it; null lifts it."""

    until: Annotated[datetime | None, Field(strict=False)]  # JSON has no times


class Facet(Body):
    """Values of a field and how often they occur."""

    items: list[dict[str, Any]]


def read_routes(router: APIRouter, registry: Registry) -> None:
    """Add the list, its facets and the single entity of a registry."""
    list_routes(router, registry)

    @router.get("/{id_}")
    def read(
        permit: Annotated[Permit, Depends(permit_of(registry))], connection: ReadOf
    ) -> dict[str, Any]:
        """The whole entity."""
        return answer_one(connection, registry, permit)


def list_routes(router: APIRouter, registry: Registry) -> None:
    """Add the list and its facets."""

    @router.get("", response_model=PageOf, response_model_exclude_unset=True)
    def list_(
        services: ServicesOf,
        access: AccessOf,
        context: ContextOf,
        connection: ReadOf,
        request: Annotated[PageRequest, Depends(page_request(registry))],
    ) -> dict[str, Any]:
        """One page of what you may see. `filter` is an expression, `sort` up to three keys."""
        return answer_page(services, connection, registry, request, access, context)

    @router.get("/facets")
    def facets(
        access: AccessOf,
        connection: ReadOf,
        context: ContextOf,
        request: Annotated[PageRequest, Depends(page_request(registry, "field"))],
        field: Annotated[str, Query(description="which field to count the values of")],
    ) -> Facet:
        """How many of the first 10,000 entities that you may see have each value of a field."""
        listing = access.listing(registry.kind)
        found = read_facet(connection, registry, listing, request, field, context.time)
        return Facet(items=found)


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
        guard: GuardOf,
        context: ContextOf,
    ) -> Written:
        """Create under a name that nothing you can see has in its project."""
        asked: NewEntity = body
        id_ = creation_id(id_kind, asked.id, context)
        position = await services.store.run(
            context, lambda session: entities.create(session, guard, build(id_, asked))
        )
        return Written(id=id_, position=position)

    change_routes(router, kind, id_kind)
    if issubclass(kind, Shareable):
        share_routes(router, kind, id_kind)


def change_routes(router: APIRouter, kind: type[Entity], id_kind: str) -> None:
    """Add change, archive and restore; an id of another kind is not found here."""

    @router.patch("/{id_}")
    async def change(
        id_: str, body: Change, services: ServicesOf, guard: GuardOf, context: ContextOf
    ) -> Written:
        """Rename, describe or tag."""
        _check_kind(id_, id_kind)
        asked = entities.Changes(body.name, body.description, body.tags)
        position = await services.store.run(
            context, lambda session: entities.change(session, guard, kind, id_, asked)
        )
        return Written(id=id_, position=position)

    archive_routes(router, kind, id_kind)


def archive_routes(router: APIRouter, kind: type[A], id_kind: str) -> None:
    """Add archive and restore."""

    @router.post("/{id_}/archive")
    async def archive(
        id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf
    ) -> Written:
        """Hide from lists and close to changes; nothing is deleted."""
        _check_kind(id_, id_kind)
        position = await services.store.run(
            context,
            lambda session: entities.act(session, guard, kind, id_, "archive", kind.archive),
        )
        return Written(id=id_, position=position)

    @router.post("/{id_}/restore")
    async def restore(
        id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf
    ) -> Written:
        """Undo archive."""
        _check_kind(id_, id_kind)
        position = await services.store.run(
            context,
            lambda session: entities.act(session, guard, kind, id_, "archive", kind.restore),
        )
        return Written(id=id_, position=position)


def share_routes(router: APIRouter, kind: type[Shareable], id_kind: str) -> None:
    """Add sharing and embargo."""

    @router.put("/{id_}/sharing")
    async def share(
        id_: str, body: Sharing, services: ServicesOf, guard: GuardOf, context: ContextOf
    ) -> Written:
        """Say who may see it: `private`, `project` or `public`, groups, and people."""
        _check_kind(id_, id_kind)

        def action(entity: Shareable) -> None:
            entity.share(body.visibility, body.groups, body.users)

        async def command(session: Session) -> int:
            await entities.require_present(session, guard, [*body.groups, *body.users])
            return await entities.act(session, guard, kind, id_, "share", action)

        return Written(id=id_, position=await services.store.run(context, command))

    @router.put("/{id_}/embargo")
    async def embargo(
        id_: str, body: Embargo, services: ServicesOf, guard: GuardOf, context: ContextOf
    ) -> Written:
        """Hide it from everybody but its owner until a time, whoever it is shared with."""
        _check_kind(id_, id_kind)
        position = await services.store.run(
            context,
            lambda session: entities.act(
                session, guard, kind, id_, "share", lambda entity: entity.embargo(body.until)
            ),
        )
        return Written(id=id_, position=position)


def _check_kind(id_: str, kind: str) -> None:
    if kind_of(id_) != kind:
        raise missing(id_)
