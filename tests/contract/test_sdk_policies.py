"""The SDK on policies: from a text to what is in force, and questions about it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

import pytest

from hansard.client import AsyncClient, Client, Supposition
from hansard.client_errors import Conflict, Forbidden, Invalid, NotFound
from tests.contract.served_platform import Address, a_name

T = TypeVar("T")


def a_policy(name: str, when: str = "r.sub.id == 'user-nobody'", expect: str = "permit") -> str:
    """A policy that lets somebody read experiments, with one test."""
    return (
        f"policy: {name}\n"
        "summary: Something for a test.\n"
        "entity: experiment\n"
        "actions: read\n"
        "subject: {auditing: bool}\n"
        "root:\n"
        "  combine: deny-overrides\n"
        "  rules:\n"
        "    - id: wanted\n"
        "      effect: permit\n"
        f'      when: "{when}"\n'
        "tests:\n"
        f"  - {{name: as wanted, sub: {{id: user-nobody, auditing: true}}, expect: {expect}}}\n"
    )


def a_policy_name() -> str:
    return f"p{uuid4().hex[:10]}"


async def told(address: Address, story: Callable[[Client], T]) -> T:
    """Tell a story with the blocking client, as the administrator."""

    def with_client() -> T:
        with Client(address.url, address.token) as client:
            return story(client)

    return await asyncio.to_thread(with_client)


async def test_a_text_is_tested_proposed_put_in_force_and_retired(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_policy_name()
        text = a_policy(name)
        assert client.policies.test(text).passed
        made = client.policies.propose(text, "a try")
        assert (made.number, client.policies.get(name).active) == (1, None)
        assert client.policies.propose(text).number == 1
        active = client.policies.activate(name, made.number)
        assert (active.active, active.active_text, active.active_digest) == (1, text, made.digest)
        second = client.policies.propose(a_policy(name, "r.sub.id in ('user-nobody', 'user-x')"))
        difference = client.policies.diff(name, second.number)
        assert "+      when: \"r.sub.id in ('user-nobody', 'user-x')\"" in difference.diff
        assert difference.users >= 1
        assert client.policies.retire(name, "the try is over").active is None
        steps = [(step.what, step.number) for step in client.policies.history(name)]
        assert steps == [
            *(("created", None), ("proposed", 1), ("activated", 1), ("proposed", 2)),
            ("retired", None),
        ]
        assert name in [policy.name for policy in client.policies.list()]

    await told(address, story)


async def test_a_text_that_fails_its_tests_is_not_put_in_force(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_policy_name()
        text = a_policy(name, expect="deny")
        tested = client.policies.test(text)
        assert not tested.passed
        assert [(case.policy, case.case) for case in tested.failures] == [(name, "as wanted")]
        number = client.policies.propose(text).number
        with pytest.raises(Conflict) as caught:
            client.policies.activate(name, number)
        assert caught.value.code == "policy-tests-failed"
        with pytest.raises(Conflict):
            client.policies.approve(name, number)  # one's own

    await told(address, story)


async def test_a_text_that_makes_no_sense_is_refused_at_its_place(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_policy_name()
        with pytest.raises(Invalid) as caught:
            client.policies.propose(a_policy(name, "r.sub.idd == 'x'"))
        assert "^^^" in str(caught.value)
        with pytest.raises(Invalid, match="names no policy"):
            client.policies.propose("entity: run\n")
        with pytest.raises(NotFound):
            client.policies.get(name)

    await told(address, story)


async def test_questions_are_answered_as_the_platform_decides(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_policy_name()
        made = client.experiments.create(a_name())
        eve = client.users.create(a_name())
        with Client(address.url, client.tokens.issue(eve.id).token) as hers:
            denied = client.policies.explain(f"experiment/{made.name}", subject=eve.id)
            assert not denied.permitted
            assert ("reading", "owner", "does not apply") in {
                (rule.policy, rule.rule, rule.outcome) for rule in denied.rules
            }
            assert client.policies.explain(made.id).permitted
            assert eve.id not in set(client.policies.who_can("read", made.id))
            with pytest.raises(NotFound):
                hers.policies.explain(made.id)
            with pytest.raises(Forbidden):
                hers.policies.explain("project/default", subject=client.me().id)

            text = a_policy(name, "r.sub.auditing")
            supposed = client.policies.what_if(
                text,
                suppose=Supposition(attributes={"auditing": True}),
                subject=eve.id,
                kind="experiment",
            )
            assert (supposed.gained.count >= 1, supposed.lost.count) == (True, 0)
            client.policies.activate(name, client.policies.propose(text).number)
            client.users.set_attributes(eve.id, {"auditing": True})
            assert eve.id in set(client.policies.who_can("read", made.id))
            assert hers.experiments.get(made.id).id == made.id
            lost = client.policies.what_if(
                suppose=Supposition(attributes={}), subject=eve.id, kind="experiment"
            )
            assert lost.lost.count == supposed.gained.count
        client.policies.retire(name, "asked", confirm_loss=10_000)

    await told(address, story)


async def test_decisions_are_listed_and_decided_again(address: Address) -> None:
    def story(client: Client) -> None:
        made = client.experiments.create(a_name())
        client.experiments.share(made.id, visibility="project")
        found = list(client.decisions.list(entity=made.id, action="share"))
        assert {(each.permitted, each.subject) for each in found} == {(True, client.me().id)}
        assert client.decisions.get(found[0].id).detail is not None
        for decision in found:  # on what was, and on what was to be
            verified = client.decisions.verify(decision.id)
            assert (verified.agrees, verified.recorded, verified.again) == (True, True, True)

    await told(address, story)


async def test_the_schema_says_what_policies_can_speak_of(address: Address) -> None:
    async with AsyncClient(address.url, address.token) as client:
        schema = await client.policies.schema()
        assert "status" in schema["kinds"]["run"]["attributes"]
        assert "share" in schema["kinds"]["model"]["actions"]
        me = (await client.me()).id
        assert me in [id_ async for id_ in client.policies.who_can("read", "project/default")]
