"""What a record begins with: once, all of it, and as far as it is missing in an older one."""

from collections.abc import AsyncIterator

import pytest

from api.bootstrap import FIRST_USER, create_streams, record_beginning
from domain.administrators import ADMINISTRATORS, Administrators
from domain.policy import Policy, policy_id
from domain.user import User
from hansard.formats.ids import new_id
from infra.event_store import EventStore, Session
from infra.nats_connection import connect
from infra.person_keys import PersonKeys
from policies.document import read_policy
from policies.pdp import PolicySet
from policies.shipped import shipped_policies
from tests.integration.conftest import Servers
from tests.integration.lab import CONTEXT, Lab
from tests.integration.lab import lab as open_lab
from tests.integration.platform import SECRET


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    admin = await connect(servers.nats["admin"], "test")
    await create_streams(admin, 1)
    await admin.close()
    async with open_lab(servers) as lab:
        yield lab


async def begin(lab: Lab) -> Session:
    """Begin, and look at the record."""
    await record_beginning(lab.log, PersonKeys(lab.client), SECRET)
    return Session(lab.log, CONTEXT)


async def test_a_new_record_has_every_shipped_policy_active(lab: Lab) -> None:
    session = await begin(lab)
    found = []
    for name, text in shipped_policies().items():
        policy = await session.load(Policy, policy_id(name))
        proposal = policy.active_proposal
        assert proposal is not None
        assert (proposal.text, proposal.by, policy.created_by) == (text, "system", "system")
        found.append(read_policy(proposal.text))
        assert proposal.digest == found[-1].digest
    shipped = PolicySet(map(read_policy, shipped_policies().values()))
    assert PolicySet(found).digest == shipped.digest
    assert (await session.load(Administrators, ADMINISTRATORS)).users == [FIRST_USER]


async def test_to_begin_again_records_nothing(lab: Lab) -> None:
    await begin(lab)
    before = await lab.log.last()
    await begin(lab)
    assert await lab.log.last() == before


async def test_what_was_made_of_the_policies_stays(lab: Lab) -> None:
    await begin(lab)

    async def retire(session: Session) -> int:
        policy = await session.load(Policy, policy_id("groups"))
        policy.retire("nobody's business")
        return await session.save(policy)

    await EventStore(lab.log).run(CONTEXT, retire)
    session = await begin(lab)
    assert (await session.load(Policy, policy_id("groups"))).active is None


async def test_an_older_record_gets_its_list_of_administrators(lab: Lab) -> None:
    admin, disabled, other = (new_id("user") for _ in range(3))

    async def people(session: Session) -> int:
        users = [
            User.register(FIRST_USER, "", {"admin": False}),
            User.register(admin, "", {}),
            User.register(disabled, "", {"admin": True}),
            User.register(other, "", {"admin": True}),
        ]
        users[1].change_attributes({"admin": True})
        users[2].disable()
        users[3].change_attributes({})
        return await session.save(*users)

    await EventStore(lab.log).run(CONTEXT, people)
    session = await begin(lab)
    assert (await session.load(Administrators, ADMINISTRATORS)).users == [admin]
