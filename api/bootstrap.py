"""What an empty record starts with: streams, the default project, an administrator, policies.

A record of an older version gets what it does not have yet.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import orjson
from nats.aio.client import Client

from domain.administrators import ADMINISTRATORS, Administrators
from domain.aggregate import Aggregate, Context
from domain.name import NameReservation, reservation_id
from domain.policy import Policy
from domain.project import DEFAULT_PROJECT, Project
from domain.token import Token
from domain.user import User
from infra.event_codec import decode
from infra.event_log.log import EventLog
from infra.event_log.streams import ALL
from infra.event_log.streams import create as create_stream
from infra.event_store import AlreadyDone, EventStore, Session
from infra.person_keys import PersonKeys
from infra.secret_digest import make_bearer, secret_digest
from policies.document import read_policy
from policies.shipped import shipped_policies

FIRST_USER = "user-00000000-0000-7000-8000-000000000000"
FIRST_TOKEN = "token-00000000-0000-7000-8000-000000000000"  # noqa: S105 - an id, not a secret

SYSTEM = "system"

_PAGE = 500


async def create_streams(client: Client, replicas: int) -> None:
    """Create all streams, or bring them to their configuration; needs the admin user."""
    for stream in ALL:
        await create_stream(client, stream, replicas)


async def begin(client: Client, secret: str) -> str:
    """Record what is not there yet; answers the first administrator's bearer token.

    `secret` is the random part of the token; the record keeps its digest only.
    """
    await record_beginning(EventLog(client), PersonKeys(client), secret)
    return make_bearer(FIRST_TOKEN, secret)


async def record_beginning(log: EventLog, keys: PersonKeys, secret: str) -> None:
    """Default project, first administrator with a token, list of administrators, policies."""
    store = EventStore(log)
    context = Context(SYSTEM, datetime.now(UTC), "bootstrap")
    await _once(store, context, _open_default_project)
    await _once(store, context, lambda session: _register(session, keys, secret))
    await _once(store, context, lambda session: _list_administrators(session, log))
    await _once(store, context, lambda session: _activate_policies(session, log))


async def _open_default_project(session: Session) -> int:
    if await session.find(Project, DEFAULT_PROJECT) is not None:
        raise AlreadyDone(DEFAULT_PROJECT, 0)
    project = Project.create(DEFAULT_PROJECT, "default")
    place = reservation_id("platform", Project.TOPIC, project.name)
    return await session.save(project, NameReservation.reserve(place, project.id))


async def _register(session: Session, keys: PersonKeys, secret: str) -> int:
    if await session.find(User, FIRST_USER) is not None:
        raise AlreadyDone(FIRST_USER, 0)
    profile = orjson.dumps({"name": "Administrator", "mail": ""}).decode()
    sealed = await keys.seal(FIRST_USER, profile)
    user = User.register(FIRST_USER, sealed, {"admin": True})
    token = Token.issue(FIRST_TOKEN, FIRST_USER, "first token", secret_digest(secret))
    return await session.save(user, token, Administrators.begin([FIRST_USER]))


async def _list_administrators(session: Session, log: EventLog) -> int:
    """For a record that is older than the list; where nobody administers, none is begun."""
    if await session.find(Administrators, ADMINISTRATORS) is not None:
        raise AlreadyDone(ADMINISTRATORS, 0)
    found = [user.id for user in await _users(log) if user.is_administrator]
    if not found:
        raise AlreadyDone(ADMINISTRATORS, 0)
    return await session.save(Administrators.begin(found))


async def _users(log: EventLog) -> list[User]:
    """Everybody, read from the whole record."""
    users: dict[str, Aggregate | None] = {}
    position = 0
    while messages := await log.read_after(position, _PAGE, log.layout.of_kind("user")):
        for message in messages:
            parsed, version = log.layout.parse(message.subject)
            id_ = str(parsed)
            event = decode(id_, version, message.topic, message.payload)
            users[id_] = event.mutate(users.get(id_))
        position = messages[-1].position
    return [user for user in users.values() if isinstance(user, User)]


async def _activate_policies(session: Session, log: EventLog) -> int:
    """The shipped policies, all at once; what anybody has made of them stays."""
    if await log.last(log.layout.of_kind("policy")) is not None:
        raise AlreadyDone("policy", 0)
    policies = []
    for name, text in shipped_policies().items():
        policy = Policy.create(name)
        number = policy.propose(text, read_policy(text).digest, "shipped", SYSTEM)
        policy.activate(number)
        policies.append(policy)
    return await session.save(*policies)


async def _once(
    store: EventStore, context: Context, command: Callable[[Session], Awaitable[int]]
) -> None:
    with suppress(AlreadyDone):
        await store.run(context, command)
