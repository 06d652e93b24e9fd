"""What rows have from others: runs from experiments, versions from abstractions, users from groups,
and the tables of tokens, invitations, policies and decisions.
"""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.abstraction import Abstraction
from domain.decision import Decision
from domain.experiment import Experiment
from domain.group import Group
from domain.invitation import Invitation
from domain.policy import Policy
from domain.run import Run
from domain.token import Token
from domain.user import User
from domain.version import Version
from hansard.formats.ids import new_id
from infra.database import Connection
from projections.rebuild import compare
from tests.integration.conftest import Servers
from tests.integration.lab import CONTEXT, PROJECT, Lab
from tests.integration.lab import lab as open_lab
from tests.unit.stories import SOURCE, a_request

GROUP, USER = new_id("group"), new_id("user")
LATER = datetime(2030, 6, 1, tzinfo=UTC)
SHARED = ("user-1", "public", [GROUP], [USER], LATER)
PRIVATE: tuple[Any, ...] = ("user-1", "private", [], [], None)
_SEEN = "visibility, groups, users, embargo_until"
_COUNTED = "groups, viewer_of, contributor_of, manager_of"


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


def one(tables: Connection, columns: str, table: str, id_: str) -> tuple[Any, ...]:
    row = tables.execute(f"SELECT {columns} FROM {table} WHERE id = %s", (id_,)).fetchone()
    assert row is not None
    return row


def run_of(tables: Connection, run: Run) -> tuple[Any, ...]:
    return one(tables, f"experiment_owner, {_SEEN}", "run", run.id)


async def folded(lab: Lab) -> Connection:
    """Read models in one batch, once they are known to be the same in pieces and folded twice."""
    at_once, chance = lab.folded(), random.Random(1)
    assert compare(at_once, lab.folded(lambda: 1)) == []
    assert compare(at_once, lab.folded(lambda: chance.randint(1, 4))) == []
    assert at_once.execute("SELECT * FROM dead_letter").fetchall() == []
    return at_once


async def test_runs_follow_their_experiment_also_those_born_later(lab: Lab) -> None:
    experiment, other = (
        Experiment.create(new_id("experiment"), PROJECT, name) for name in ("one", "two")
    )
    early, late, elsewhere = (
        a_request(experiment=which.id) for which in (experiment, experiment, other)
    )
    await lab.save(experiment, other, early, elsewhere)
    assert run_of(await folded(lab), early) == PRIVATE
    experiment.share("public", [GROUP], [USER])
    experiment.embargo(LATER)
    await lab.save(experiment)
    late.queue()
    await lab.save(late)
    tables = await folded(lab)
    assert [run_of(tables, run) for run in (early, late, elsewhere)] == [SHARED, SHARED, PRIVATE]
    experiment.share("private", [], [])
    experiment.embargo(None)
    await lab.save(experiment)
    tables = await folded(lab)
    assert [run_of(tables, run) for run in (early, late)] == [PRIVATE, PRIVATE]


async def test_a_run_of_no_known_experiment_is_nobodys_and_private(lab: Lab) -> None:
    run = a_request()
    await lab.save(run)
    assert run_of(await folded(lab), run) == ("", *PRIVATE[1:])


async def test_versions_follow_their_abstraction(lab: Lab) -> None:
    model = Abstraction.register(new_id("model"), PROJECT, "net")
    early, late = (Version.of(model, new_id("version"), number, SOURCE) for number in (1, 2))
    await lab.save(model, early)
    model.share("public", [GROUP], [USER])
    model.embargo(LATER)
    await lab.save(model)
    await lab.save(late)
    tables = await folded(lab)
    columns = f"abstraction_owner, {_SEEN}"
    for version in (early, late):
        assert one(tables, columns, "version", version.id) == SHARED
    assert one(tables, _SEEN, "abstraction", model.id) == SHARED[1:]


async def test_members_have_the_roles_of_their_groups_while_these_are_open(lab: Lab) -> None:
    projects = sorted(new_id("project") for _ in range(3))
    member, stranger = (User.register(new_id("user"), "sealed", {}) for _ in range(2))
    team, guests = (Group.create(new_id("group"), name) for name in ("team", "guests"))
    member.grant_role(projects[0], "viewer")
    for group in (team, guests):
        member.join(group.id)
    await lab.save(member, stranger)
    await lab.save(team, guests)
    team.grant_role(projects[0], "manager")
    team.grant_role(projects[1], "contributor")
    guests.grant_role(projects[2], "viewer")
    await lab.save(team, guests)
    tables = await folded(lab)
    both = sorted([team.id, guests.id])
    assert counted(tables, member) == (both, projects, projects[:2], projects[:1])
    assert counted(tables, stranger) == ([], [], [], [])
    team.archive()
    await lab.save(team)
    seen: tuple[Any, ...] = ([guests.id], [projects[0], projects[2]], [], [])
    assert counted(await folded(lab), member) == seen
    team.restore()
    guests.revoke_role(projects[2])
    member.leave(guests.id)
    await lab.save(team, guests, member)
    seen = ([team.id], projects[:2], projects[:2], projects[:1])
    assert counted(await folded(lab), member) == seen


def counted(tables: Connection, user: User) -> tuple[Any, ...]:
    return one(tables, _COUNTED, "account", user.id)


async def test_an_account_is_an_administrators_while_enabled_and_named_so(lab: Lab) -> None:
    user = User.register(new_id("user"), "sealed", {"admin": True}, service=True)
    await lab.save(user)
    columns = "service, admin"
    assert one(await folded(lab), columns, "account", user.id) == (True, True)
    user.disable()
    await lab.save(user)
    assert one(await folded(lab), columns, "account", user.id) == (True, False)
    user.enable()
    user.change_attributes({})
    await lab.save(user)
    assert one(await folded(lab), columns, "account", user.id) == (True, False)


async def test_tokens_and_invitations_are_shown_without_their_digests(lab: Lab) -> None:
    token = Token.issue(new_id("token"), USER, "laptop", "digest", ["read"], LATER, "session")
    invitation = Invitation.issue(
        new_id("invitation"), "digest", group=GROUP, expires_at=LATER, uses=2, note="welcome"
    )
    invitation.accept(USER, CONTEXT.time)
    await lab.save(token, invitation)
    token.revoke()
    invitation.revoke()
    await lab.save(token, invitation)
    tables = await folded(lab)
    columns = "account, label, scopes, purpose, expires_at, revoked"
    seen = (USER, "laptop", ["read"], "session", LATER, True)
    assert one(tables, columns, "token", token.id) == seen
    columns = 'project, role, "group", expires_at, uses, accepted, revoked, note'
    seen_too = (None, None, GROUP, LATER, 2, [USER], True, "welcome")
    assert one(tables, columns, "invitation", invitation.id) == seen_too


async def test_a_policy_shows_its_proposals_and_which_of_them_is_active(lab: Lab) -> None:
    policy = Policy.create("base")
    digest = "a" * 64
    number = policy.propose("rules: []", digest, "first", USER)
    policy.approve(number, new_id("user"))
    policy.activate(number)
    await lab.save(policy)
    tables = await folded(lab)
    active, active_digest, (shown,) = one(
        tables, "active, active_digest, proposals", "policy", policy.id
    )
    assert (active, active_digest) == (1, digest)
    assert (shown["text"], shown["by"], len(shown["approved_by"])) == ("rules: []", USER, 1)
    policy.retire("no longer")
    await lab.save(policy)
    assert one(await folded(lab), "active, active_digest", "policy", policy.id) == (None, None)


async def test_a_decision_is_found_by_its_entity(lab: Lab) -> None:
    run = new_id("run")
    decision = Decision.record(
        new_id("decision"),
        subject={"id": USER, "groups": []},
        kind="run",
        entity=run,
        action="cancel",
        object={"created_by": USER},
        env={},
        permitted=True,
        rule="owners",
        policy="policy-base",
        policies={"policy-base": "a" * 64},
        policy_set="b" * 64,
    )
    await lab.save(decision)
    tables = await folded(lab)
    columns = "subject, action, permitted, rule, policy, detail ->> 'policies'"
    (found,) = tables.execute(f"SELECT {columns} FROM decision WHERE entity = %s", (run,))
    assert found[:5] == (USER, "cancel", True, "owners", "policy-base")
    assert "policy-base" in found[5]
