"""What a route gets from its request: services, the caller, the context of a command, a page."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.authentication import Subject
from api.services import Services
from domain.aggregate import Context
from domain.errors import DomainError, Invalid, NotFound
from hansard.formats.ids import new_id
from infra.database import Connection
from projections.page import Page, PageRequest, Registry, read_one, read_page

_MAX_KEY = 200


def services(request: Request) -> Services:
    """The process's services."""
    found: Services = request.app.state.services
    return found


ServicesOf = Annotated[Services, Depends(services)]


_BEARER = HTTPBearer(auto_error=False, description="A token of a user, or of a run's attempt.")


async def subject(
    request: Request,
    services: ServicesOf,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
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


async def admin(caller: SubjectOf) -> Subject:
    """The caller, who is an administrator. Raises Forbidden."""
    caller.require_admin()
    return caller


AdminOf = Annotated[Subject, Depends(admin)]


async def context(
    request: Request,
    caller: SubjectOf,
    idempotency_key: Annotated[str | None, Header(max_length=_MAX_KEY)] = None,
) -> Context:
    """Who commands what, now, under which request and idempotency key."""
    return _context(request, caller.id, idempotency_key)


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

_PAGE_PARAMETERS = {"limit", "cursor", "sort", "archived", "count", "min_position"}


def page_request(registry: Registry) -> Callable[..., PageRequest]:
    """A dependency that reads a list's query parameters; unknown ones are refused."""

    def read(
        request: Request,
        limit: int = 50,
        cursor: str | None = None,
        sort: str | None = None,
        archived: bool = False,
        count: bool = False,
    ) -> PageRequest:
        where = {k: v for k, v in request.query_params.items() if k not in _PAGE_PARAMETERS}
        for name in where.keys() - registry.filters.keys():
            known = ", ".join(registry.filters) or "none"
            raise Invalid(f"cannot filter by `{name}`; filters are: {known}", field=name)
        if any("\0" in value for value in where.values()):
            raise Invalid("a filter value contains NUL")
        default = f"-{registry.sorts[0]}"
        return PageRequest(limit, cursor, sort or default, archived, count, where)

    return read


def answer_page(
    services: Services,
    connection: Connection,
    registry: Registry,
    request: PageRequest,
    caller: Subject,
) -> dict[str, Any]:
    """A page in its wire form, with the position it shows."""
    position = services.positions.read(connection)
    page: Page = read_page(connection, registry, request, services.signer, caller.id)
    total = {} if page.total is None else {"total": page.total}
    return {
        "items": page.items,
        "next_cursor": page.next_cursor,
        "position": position,
        **total,
    }


def answer_one(connection: Connection, registry: Registry, id_: str) -> dict[str, Any]:
    """An entity in its wire form. Raises NotFound."""
    row = read_one(connection, registry, id_)
    if row is None:
        raise NotFound(f"there is no {registry.table} {id_}", id=id_)
    return row
