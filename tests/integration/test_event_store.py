"""Loading and saving on a real log: who made what, creations from before a topic changed."""

from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest
from eventsourcing.persistence import StoredEvent

from api.bootstrap import FIRST_USER, begin, create_streams
from domain.administrators import ADMINISTRATORS, Administrators
from domain.errors import Conflict
from domain.experiment import Experiment
from domain.token import SCOPES, Token
from domain.user import User
from hansard.formats.ids import new_id
from infra.event_log.log import EventLog
from infra.event_store import AlreadyDone, Session
from infra.nats_connection import connect
from tests.integration.conftest import Servers
from tests.integration.lab import CONTEXT, PROJECT, Lab
from tests.integration.lab import lab as open_lab
from tests.integration.platform import SECRET

SOMEBODY_ELSE = replace(CONTEXT, actor="user-2")


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


async def append_old(lab: Lab, id_: str, topic: str, **data: object) -> None:
    """A first event as an earlier release wrote it."""
    state = orjson.dumps({"data": data, **CONTEXT.envelope()})
    await lab.log.append([StoredEvent(id_, 1, topic, state)])


async def test_what_is_loaded_knows_who_made_it_whoever_changed_it_later(lab: Lab) -> None:
    made = Experiment.create(new_id("experiment"), PROJECT, "one")
    assert made.created_by == ""
    await Session(lab.log, CONTEXT).save(made)
    session = Session(lab.log, SOMEBODY_ELSE)
    loaded = await session.load(Experiment, made.id)
    loaded.rename("two")
    await session.save(loaded)
    again = await Session(lab.log, CONTEXT).load(Experiment, made.id)
    assert (loaded.created_by, again.created_by) == (CONTEXT.actor, CONTEXT.actor)


async def test_a_user_and_a_token_of_an_earlier_release_are_a_person_and_open_everything(
    lab: Lab,
) -> None:
    user, token = new_id("user"), new_id("token")
    await append_old(lab, user, "user.registered.v1", profile="sealed", attributes={})
    await append_old(lab, token, "token.issued.v1", user=user, label="laptop", digest="d")
    session = Session(lab.log, CONTEXT)
    assert (await session.load(User, user)).service is False
    found = await session.load(Token, token)
    assert (found.scopes, found.expires_at, found.purpose) == (list(SCOPES), None, "api")


async def test_a_creation_of_an_earlier_release_that_is_repeated_counts_as_done(lab: Lab) -> None:
    id_ = new_id("user")
    await append_old(lab, id_, "user.registered.v1", profile="sealed", attributes={})
    with pytest.raises(AlreadyDone):
        await Session(lab.log, CONTEXT).save(User.register(id_, "sealed", {}))
    with pytest.raises(Conflict) as refused:
        await Session(lab.log, CONTEXT).save(User.register(id_, "sealed", {}, service=True))
    assert refused.value.code == "id-taken"


async def test_a_new_platform_knows_its_first_administrator(servers: Servers) -> None:
    client = await connect(servers.nats["admin"], "test")
    await create_streams(client, 1)
    for _ in range(2):
        await begin(client, SECRET)
    session = Session(EventLog(client), CONTEXT)
    assert FIRST_USER in (await session.load(Administrators, ADMINISTRATORS)).users
    assert (await session.load(User, FIRST_USER)).is_administrator
    await client.close()
