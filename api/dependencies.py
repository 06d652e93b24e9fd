"""What a route gets from its request: services, the caller, the context of a command, a page."""

import hmac
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from anyio import from_thread
from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.access.guard import Guard, Unrecorded, missing
from api.access.reads import ReadRecorder
from api.authentication import Subject
from api.services import Services
from domain.aggregate import Context
from domain.errors import DomainError, Invalid
from domain.plain_data import holds_text
from domain.text import kind_of
from hansard.formats.ids import new_id
from infra.database import Connection
from policies.access import Access, Permit
from projections.access.facts import CLASSES
from projections.page import Page, PageRequest, Registry, read_one, read_page

_MAX_KEY = 200


async def services(request: Request) -> Services:
    """The process's services; like all that does not block, no detour through a thread."""
    found: Services = request.app.state.services
    return found


ServicesOf = Annotated[Services, Depends(services)]


BEARER = HTTPBearer(auto_error=False, description="A token of a user, or of a run's attempt.")


async def subject(
    request: Request,
    services: ServicesOf,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Subject:
    """The authenticated caller. Raises DomainError `unauthenticated`."""
    found = None
    if given is not None:
        nobody = _context(request, "nobody")
        found = await services.authenticator.subject(given.credentials, nobody)
    if found is None:
        raise DomainError("a valid bearer token is needed", code="unauthenticated")
    return found


SubjectOf = Annotated[Subject, Depends(subject)]


async def user(caller: SubjectOf) -> Subject:
    """The caller, who is a user and not a run. Raises Forbidden."""
    caller.require_user()
    return caller


UserOf = Annotated[Subject, Depends(user)]


async def context(
    request: Request,
    services: ServicesOf,
    caller: SubjectOf,
    idempotency_key: Annotated[str | None, Header(max_length=_MAX_KEY)] = None,
) -> Context:
    """Who commands what, now, under which request and idempotency key.

    The key is bound to caller, method and address, and nobody else can foresee what it becomes: ids
    of what is created follow from it.
    """
    key = None
    if idempotency_key is not None:
        parts = (caller.id, request.method, request.url.path, idempotency_key)
        secret = services.settings.secret.encode()
        key = hmac.digest(secret, "\n".join(parts).encode(), "sha256").hex()[:40]
    return _context(request, caller.id, key)


ContextOf = Annotated[Context, Depends(context)]


def _context(request: Request, actor: str, key: str | None = None) -> Context:
    return Context(actor, datetime.now(UTC), request.state.request_id, idempotency_key=key)


def creation_id(kind: str, given: str | None, context: Context) -> str:
    """The id of what is created: the client's, one that its idempotency key decides, or a new one.

    Either of the first two makes a repeated creation the same creation.
    """
    if given is not None:
        return given
    if context.idempotency_key is None:
        return new_id(kind)
    seed = "\n".join((context.actor, kind, context.idempotency_key))
    return f"{kind}-{UUID(bytes=sha256(seed.encode()).digest()[:16])}"


async def reached(
    services: ServicesOf,
    min_position: Annotated[int, Query(ge=0, description="wait until this is folded")] = 0,
) -> None:
    """Wait for the caller's own writes. Raises DomainError `behind`."""
    await services.positions.wait(min_position)


def connection(services: ServicesOf, _: Annotated[None, Depends(reached)]) -> Iterator[Connection]:
    """A connection to the read models, which have reached `min_position`."""
    with services.pool.connection() as found:
        yield found


ReadOf = Annotated[Connection, Depends(connection)]


async def rights(
    request: Request, services: ServicesOf, caller: UserOf, context: ContextOf
) -> Access:
    """The caller's rights, now. The answer will name the policies that they come from."""
    found = await services.access(caller, context.time)
    request.state.policies = found.policies.digest
    return found


RightsOf = Annotated[Access, Depends(rights)]


async def access(caller: UserOf, rights: RightsOf) -> Access:
    """The caller's rights, to read with. Raises Forbidden for a token that may not read."""
    caller.require_scope("read")
    return rights


AccessOf = Annotated[Access, Depends(access)]


class GuardMaker:
    """Makes guards by the rights of the moment, for what takes long to prepare."""

    def __init__(self, services: Services, token: str, context: Context) -> None:
        self._services = services
        self._token = token
        self._context = context

    async def __call__(self) -> Guard:
        """A guard by present rights. Raises DomainError `unauthenticated`."""
        now = replace(self._context, time=datetime.now(UTC))
        caller = await self._services.authenticator.subject(self._token, now)
        if caller is None:
            raise DomainError("this token opens nothing any more", code="unauthenticated")
        rights = await self._services.access(caller, now.time)
        services = self._services
        return Guard(rights, caller.scopes, now, services.store, services.denials)


async def guard_maker(
    services: ServicesOf,
    context: ContextOf,
    given: Annotated[HTTPAuthorizationCredentials, Depends(BEARER)],
) -> GuardMaker:
    """Decides again, later."""
    return GuardMaker(services, given.credentials, context)


FreshGuardOf = Annotated[GuardMaker, Depends(guard_maker)]


async def guard(
    services: ServicesOf, caller: UserOf, context: ContextOf, rights: RightsOf
) -> Guard:
    """Decides for the caller, inside commands."""
    return Guard(rights, caller.scopes, context, services.store, services.denials)


GuardOf = Annotated[Guard, Depends(guard)]


async def asking_guard(
    services: ServicesOf, caller: UserOf, context: ContextOf, rights: RightsOf
) -> Guard:
    """Decides for the caller what would be, so that no denial is recorded."""
    return Guard(rights, caller.scopes, context, services.store, Unrecorded())


AskingGuardOf = Annotated[Guard, Depends(asking_guard)]


def permit_of(registry: Registry) -> Callable[..., Awaitable[Permit]]:
    """A dependency: the right to read the entity of the path, decided on the record."""

    async def decide(id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf) -> Permit:
        if kind_of(id_) != registry.kind:
            raise missing(id_)
        kind = CLASSES[registry.kind]
        return await services.store.run(context, lambda s: guard.permit(s, kind, id_))

    return decide


_PAGE_PARAMETERS = {"limit", "cursor", "sort", "archived", "count", "filter", "min_position"}


def page_request(registry: Registry, *more: str) -> Callable[..., Awaitable[PageRequest]]:
    """A dependency that reads a list's query parameters; unknown ones but `more` are refused."""

    async def read(
        request: Request,
        limit: int = 50,
        cursor: str | None = None,
        sort: Annotated[str | None, Query(description="up to three, `-` for descending")] = None,
        archived: bool = False,
        count: bool = False,
        filter_: Annotated[
            str | None, Query(alias="filter", description="see docs/filters.md")
        ] = None,
    ) -> PageRequest:
        known = _PAGE_PARAMETERS | set(more)
        where = {k: v for k, v in request.query_params.items() if k not in known}
        for name in where.keys() - set(registry.filters):
            others = ", ".join([*registry.filters, "filter"])
            raise Invalid(f"cannot filter by `{name}`; there are: {others}", field=name)
        if not all(map(holds_text, where.values())):
            raise Invalid("a filter value contains NUL")
        return PageRequest(limit, cursor, sort, archived, count, where, filter_)

    return read


def answer_page(
    services: Services,
    connection: Connection,
    registry: Registry,
    request: PageRequest,
    access: Access,
    context: Context,
) -> dict[str, Any]:
    """A page in its wire form, with the position it shows; called in a worker thread.

    Where a policy obliges to, it is recorded who was shown what before it is.
    """
    position = services.positions.read(connection)
    listing = access.listing(registry.kind)
    now = datetime.now(UTC)
    page: Page = read_page(connection, registry, listing, request, services.signer, now)
    total = {} if page.total is None else {"total": page.total}
    recorder = ReadRecorder(services.store, services.denials.reads, access, context)
    items = page.items
    if recorder.obliged(registry.kind):
        ids = [item["id"] for item in items]
        hidden = from_thread.run(recorder.record_all, registry.kind, ids)
        items = [item for item in items if item["id"] not in hidden]
    return {
        "items": items,
        "next_cursor": page.next_cursor,
        "position": position,
        **total,
    }


def answer_one(connection: Connection, registry: Registry, permit: Permit) -> dict[str, Any]:
    """An entity in its wire form. Raises NotFound."""
    row = read_one(connection, registry, permit)
    if row is None:
        raise missing(permit.entity)
    return row
