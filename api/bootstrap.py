"""What an empty record starts with: streams, the default project, the first administrator."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import orjson
from nats.aio.client import Client

from api.commands.entities import create
from domain.aggregate import Context
from domain.project import DEFAULT_PROJECT, Project
from domain.user import Token, User
from infra.event_log.log import EventLog
from infra.event_log.streams import ALL
from infra.event_log.streams import create as create_stream
from infra.event_store import AlreadyDone, EventStore, Session
from infra.person_keys import PersonKeys
from infra.secret_digest import make_bearer, secret_digest

FIRST_USER = "user-00000000-0000-7000-8000-000000000000"
FIRST_TOKEN = "token-00000000-0000-7000-8000-000000000000"  # noqa: S105 - an id, not a secret


async def create_streams(client: Client, replicas: int) -> None:
    """Create all streams, or bring them to their configuration; needs the admin user."""
    for stream in ALL:
        await create_stream(client, stream, replicas)


async def begin(client: Client, secret: str) -> str:
    """Record the default project and the first administrator, once; answers the bearer token.

    `secret` is the random part of the token; the record keeps its digest only.
    """
    store = EventStore(EventLog(client))
    context = Context("system", datetime.now(UTC), "bootstrap")
    await _once(store, context, lambda s: create(s, Project.create(DEFAULT_PROJECT, "default")))
    keys = PersonKeys(client)

    async def register(session: Session) -> int:
        if await session.find(User, FIRST_USER) is not None:
            raise AlreadyDone(FIRST_USER, 0)
        profile = orjson.dumps({"name": "Administrator", "mail": ""}).decode()
        sealed = await keys.seal(FIRST_USER, profile)
        user = User.register(FIRST_USER, sealed, {"admin": True})
        token = Token.issue(FIRST_TOKEN, FIRST_USER, "first token", secret_digest(secret))
        return await session.save(user, token)

    await _once(store, context, register)
    return make_bearer(FIRST_TOKEN, secret)


async def _once(
    store: EventStore, context: Context, command: Callable[[Session], Awaitable[int]]
) -> None:
    with suppress(AlreadyDone):
        await store.run(context, command)
