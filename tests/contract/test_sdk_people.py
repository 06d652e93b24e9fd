"""The SDK on people and sharing: users, groups, tokens, sessions, invitations, filters."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from hansard.client import AsyncClient, Client
from hansard.client_errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
)
from tests.contract.served_platform import Address, a_model, a_name, an_executor

T = TypeVar("T")
PASSWORD = "a long enough secret"


async def told(address: Address, story: Callable[[Client], T]) -> T:
    """Tell a story with the blocking client, as the administrator."""

    def with_client() -> T:
        with Client(address.url, address.token) as client:
            return story(client)

    return await asyncio.to_thread(with_client)


def somebody(admin: Client, address: Address) -> tuple[str, Client]:
    """A new user, and a client that speaks as them."""
    user = admin.users.create(a_name(), "eve@example.org")
    return user.id, Client(address.url, admin.tokens.issue(user.id, label="test").token)


async def test_a_user_is_created_read_changed_and_shut_out(address: Address) -> None:
    def story(admin: Client) -> None:
        name = a_name()
        made = admin.users.create(name, "ada@example.org", attributes={"max_gpus": 2})
        assert (made.name, made.mail, made.attributes) == (name, "ada@example.org", {"max_gpus": 2})
        assert admin.users.set_attributes(made.id, {"team": "blue"}).attributes == {"team": "blue"}
        assert made.id in [user.id for user in admin.users.list(filter="not admin")]
        with Client(address.url, admin.tokens.issue(made.id).token) as ada:
            assert ada.me().id == ada.users.get("me").id == made.id
            assert not admin.users.disable(made.id).enabled
            with pytest.raises(Unauthenticated):
                ada.me()
        assert admin.users.enable(made.id).enabled

    await told(address, story)


async def test_what_is_masked_is_none_and_named(address: Address) -> None:
    def story(admin: Client) -> None:
        other = admin.users.create(a_name(), "bob@example.org", attributes={"team": "red"})
        _, eve = somebody(admin, address)
        with eve:
            seen = eve.users.get(other.id)
        assert (seen.mail, seen.attributes, seen.roles) == (None, None, None)
        assert {"mail", "attributes", "roles"} <= set(seen.masked)

    await told(address, story)


async def test_what_is_private_is_seen_once_it_is_shared_with_a_group(address: Address) -> None:
    def story(admin: Client) -> None:
        user, eve = somebody(admin, address)
        made = admin.experiments.create(a_name())
        group = admin.groups.create(a_name(), description="reviewers")
        with eve:
            with pytest.raises(NotFound):
                eve.experiments.get(made.id)
            shared = admin.experiments.share(made.name, groups=[group.name])
            assert (shared.visibility, shared.groups) == ("private", (group.id,))
            admin.groups.add(group.name, user)
            assert [member.id for member in admin.groups.members(group.id)] == [user]
            assert eve.experiments.get(made.id).id == made.id
            with pytest.raises(Forbidden):
                eve.experiments.share(made.id, visibility="public")
            assert admin.experiments.share(made.id, visibility="project").groups == (group.id,)
            assert admin.experiments.unshare(made.id).groups == ()
            with pytest.raises(NotFound):
                eve.experiments.get(made.id)
            admin.groups.remove(group.name, user)
            assert list(admin.groups.members(group.id)) == []

    await told(address, story)


async def test_an_embargo_hides_until_its_time(address: Address) -> None:
    def story(admin: Client) -> None:
        _, eve = somebody(admin, address)
        made = admin.experiments.create(a_name())
        admin.experiments.share(made.id, visibility="public")
        until = datetime(2999, 1, 1, tzinfo=UTC)
        with eve:
            assert eve.experiments.get(made.id).embargo_until is None
            assert admin.experiments.embargo(made.id, until).embargo_until == until
            with pytest.raises(NotFound):
                eve.experiments.get(made.id)
            ahead = admin.experiments.embargo(made.id, timedelta(days=3)).embargo_until
            assert ahead is not None
            assert timedelta(days=2) < ahead - datetime.now(UTC) < timedelta(days=4)
            assert admin.experiments.embargo(made.id, None).embargo_until is None
            assert eve.experiments.get(made.id).id == made.id

    await told(address, story)


async def test_roles_make_members_of_projects(address: Address) -> None:
    def story(admin: Client) -> None:
        user, eve = somebody(admin, address)
        project, group = admin.projects.create(a_name()), admin.groups.create(a_name())
        with eve:
            with pytest.raises(NotFound):
                eve.projects.get(project.id)
            assert admin.users.grant(user, project.name, "viewer").roles == {project.id: "viewer"}
            assert eve.projects.get(project.name).id == project.id
            assert admin.groups.grant(group.name, project.id, "manager").roles == {
                project.id: "manager"
            }
            found = {(m.kind, m.id): m.role for m in admin.projects.members(project.id)}
            assert found["user", user] == "viewer"
            assert found["group", group.id] == "manager"
            assert admin.users.revoke(user, project.id).roles == {}
            assert admin.groups.revoke(group.id, project.id).roles == {}
            with pytest.raises(NotFound):
                eve.projects.get(project.id)

    await told(address, story)


async def test_a_token_reaches_no_further_than_its_scopes(address: Address) -> None:
    def story(admin: Client) -> None:
        issued = admin.tokens.issue(label="nightly", scopes=["read"], expires_in=timedelta(days=1))
        assert issued.token not in repr(issued)
        with Client(address.url, issued.token) as reader:
            assert reader.me().scopes == ("read",)
            with pytest.raises(Forbidden) as caught:
                reader.experiments.create(a_name())
            assert caught.value.code == "scope"
            kept = next(token for token in admin.tokens.list() if token.id == issued.id)
            assert (kept.label, kept.scopes, kept.revoked) == ("nightly", ("read",), False)
            assert admin.tokens.revoke(issued.id).revoked
            with pytest.raises(Unauthenticated):
                reader.me()

    await told(address, story)


async def test_a_session_is_opened_with_login_and_password_and_closed(address: Address) -> None:
    def story(admin: Client) -> None:
        login = a_name()
        user = admin.users.create(a_name(), login=login)
        admin.users.set_password(user.id, PASSWORD)
        with Client(address.url, "") as client:
            with pytest.raises(Unauthenticated) as caught:
                client.login(login, "not the password")
            assert caught.value.code == "login-failed"
            opened = client.login(login, PASSWORD)
            assert opened.user == client.me().id == user.id
            assert PASSWORD not in repr(opened)
            assert opened.token not in repr(opened)
            client.users.set_password("me", f"{PASSWORD} too", PASSWORD)
            client.logout()
            with pytest.raises(Unauthenticated):
                client.me()
            assert client.login(login, f"{PASSWORD} too").user == user.id
        with pytest.raises(Conflict):
            admin.logout()

    await told(address, story)


async def test_a_login_can_be_given_anew(address: Address) -> None:
    def story(admin: Client) -> None:
        login = a_name()
        user, other = admin.users.create(a_name(), login=login), admin.users.create(a_name())
        with pytest.raises(Conflict) as caught:
            admin.users.set_login(other.id, login)
        assert caught.value.code == "name-taken"
        admin.users.set_login(user.id, None)
        admin.users.set_login(other.id, login)

    await told(address, story)


async def test_invitations_make_members_of_users_and_users_of_people(address: Address) -> None:
    def story(admin: Client) -> None:
        user, eve = somebody(admin, address)
        project, group = admin.projects.create(a_name()), admin.groups.create(a_name())
        issued = admin.invitations.create(project.name, "contributor", group=group.name, uses=2)
        assert issued.secret not in repr(issued)
        with eve:
            assert eve.invitations.accept(issued.secret).roles == {project.id: "contributor"}
            with pytest.raises(NotFound):
                eve.invitations.accept(issued.secret)
        with Client(address.url, "") as client:
            opened = client.invitations.join(
                issued.secret, "Newcomer", login=a_name(), password=PASSWORD
            )
            assert client.me().id == opened.user
            assert client.projects.get(project.id).id == project.id
        kept = admin.invitations.get(issued.id)
        assert kept.accepted == (user, opened.user)
        assert {m.id for m in admin.groups.members(group.id)} == {user, opened.user}
        later = admin.invitations.create(group=group.id, expires_in=timedelta(hours=1))
        assert admin.invitations.revoke(later.id).revoked
        assert admin.invitations.count(filter="revoked") >= 1

    await told(address, story)


async def test_lists_are_filtered_sorted_and_counted(address: Address, tmp_path: Path) -> None:
    def story(client: Client) -> None:
        name = a_name()
        client.push(a_model(tmp_path / "model", name))
        job = client.push(an_executor(tmp_path / "job", name))
        for epochs in (1, 2, 3):
            tags = {"prod": "yes"} if epochs > 1 else {}
            client.run(job, {"model": name}, {"epochs": epochs}, experiment=name, tags=tags)
        experiment = client.experiments.get(name).id
        found = client.runs.list(
            filter="params.epochs >= 2 and 'prod' in tags",
            sort="-params.epochs",
            experiment=experiment,
        )
        assert [run.parameters["epochs"] for run in found] == [3, 2]
        assert client.runs.count(filter="params.epochs < 3", experiment=experiment) == 2
        values = client.runs.facets("status", experiment=experiment)
        assert [(value.value, value.count) for value in values] == [("requested", 3)]
        assert client.versions.count(filter="kind == 'model' and number == 1") >= 1
        with pytest.raises(Invalid) as caught:
            list(client.runs.list(filter="statsu == 'running'"))
        assert caught.value.code == "invalid-expression"
        assert "^^^^^^" in str(caught.value)
        assert "`status`" in str(caught.value)

    await told(address, story)


async def test_a_name_that_two_have_asks_for_an_id(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_name()
        one = client.experiments.create(name)
        other = client.experiments.create(name, project=client.projects.create(a_name()).id)
        with pytest.raises(Invalid, match="2 experiments are called") as caught:
            client.experiments.get(name)
        assert one.id in str(caught.value)
        assert other.id in str(caught.value)
        with pytest.raises(Invalid, match="has no other name"):
            client.users.get("ada")

    await told(address, story)


async def test_the_asynchronous_client_says_the_same(address: Address) -> None:
    async with AsyncClient(address.url, address.token) as client:
        made = await client.experiments.create(a_name())
        shared = await client.experiments.share(made.id, visibility="public")
        assert shared.visibility == "public"
        assert await client.experiments.count(filter=f"id == '{made.id}'") == 1
        assert [user.id async for user in client.users.list(filter="admin")]
