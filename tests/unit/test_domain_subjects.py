"""Users, groups, roles, tokens, invitations, administrators: commands, events, refusals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from domain.administrators import ADMINISTRATORS, Administrators
from domain.attributes import MAX_ATTRIBUTES, RESERVED
from domain.errors import Conflict, Invalid
from domain.group import Group
from domain.invitation import MAX_USES, Invitation
from domain.role import MAX_ROLES, projects_by_role
from domain.text import kind_of
from domain.token import SCOPES, Token
from domain.user import MAX_GROUPS, User
from hansard.formats.ids import new_id
from tests.unit.stories import emitted

NOW = datetime(2030, 1, 2, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)
BEYOND = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
PROJECT, OTHER = (new_id("project") for _ in range(2))
GROUP, USER = new_id("group"), new_id("user")


@pytest.fixture
def user() -> User:
    made = User.register(new_id("user"), "sealed", {})
    made.collect_events()
    return made


@pytest.fixture
def group() -> Group:
    made = Group.create(new_id("group"), "team")
    made.collect_events()
    return made


def an_invitation(**changed: Any) -> Invitation:
    aim: dict[str, Any] = {"project": PROJECT, "role": "viewer", "expires_at": SOON, "uses": 2}
    return Invitation.issue(new_id("invitation"), "digest", **aim | changed)


def test_a_user_joins_and_leaves_groups_once_each(user: User) -> None:
    groups = sorted(new_id("group") for _ in range(3))
    for id_ in (*reversed(groups), groups[0]):
        user.join(id_)
    assert user.groups == groups
    user.leave(groups[1])
    user.leave(groups[1])
    assert user.groups == [groups[0], groups[2]]
    assert emitted(user) == ["user.joined.v1"] * 3 + ["user.left.v1"]
    with pytest.raises(Invalid):
        user.join(USER)


def test_a_user_belongs_to_a_bounded_number_of_groups(user: User) -> None:
    groups = [new_id("group") for _ in range(MAX_GROUPS + 1)]
    for id_ in groups[:-1]:
        user.join(id_)
    with pytest.raises(Conflict):
        user.join(groups[-1])
    user.join(groups[0])
    assert len(user.groups) == MAX_GROUPS


@pytest.mark.parametrize("kind", ["user", "group"])
def test_users_and_groups_hold_one_role_a_project(kind: str, user: User, group: Group) -> None:
    holder = user if kind == "user" else group
    holder.grant_role(PROJECT, "viewer")
    holder.grant_role(PROJECT, "viewer")
    holder.grant_role(PROJECT, "manager")
    holder.revoke_role(OTHER)
    assert holder.roles == {PROJECT: "manager"}
    holder.revoke_role(PROJECT)
    holder.revoke_role(PROJECT)
    assert holder.roles == {}
    names = ("role_granted", "role_granted", "role_revoked")
    assert emitted(holder) == [f"{kind}.{name}.v1" for name in names]
    for project, role in ((PROJECT, "owner"), (GROUP, "viewer")):
        with pytest.raises(Invalid):
            holder.grant_role(project, role)


def test_roles_are_bounded_but_can_change_at_the_bound(group: Group) -> None:
    projects = [new_id("project") for _ in range(MAX_ROLES)]
    for project in projects:
        group.grant_role(project, "viewer")
    group.grant_role(projects[0], "manager")
    with pytest.raises(Conflict):
        group.grant_role(PROJECT, "viewer")
    assert group.roles[projects[0]] == "manager"


def test_the_highest_of_several_roles_counts_and_includes_the_lower_ones() -> None:
    own = {"p1": "viewer", "p2": "contributor"}
    theirs = {"p1": "manager", "p3": "viewer", "p2": "viewer"}
    found = projects_by_role(own, theirs)
    assert found == (["p1", "p2", "p3"], ["p1", "p2"], ["p1"])
    assert projects_by_role() == ([], [], [])


def test_an_archived_group_is_closed_and_a_group_belongs_to_no_project(group: Group) -> None:
    group.archive()
    with pytest.raises(Conflict):
        group.grant_role(PROJECT, "viewer")
    with pytest.raises(Conflict):
        group.revoke_role(PROJECT)
    assert group.project is None


def test_a_service_account_has_no_password(user: User) -> None:
    user.set_password("digest")
    assert (user.password_digest, user.service) == ("digest", False)
    service = User.register(new_id("user"), "sealed", {}, service=True)
    with pytest.raises(Conflict):
        service.set_password("digest")


@pytest.mark.parametrize(
    "value", ["größer", "", True, 0, -(2**63), 2**63 - 1, [], ["a", "b"], "x" * 1000]
)
def test_such_attributes_are_taken(user: User, value: object) -> None:
    user.change_attributes({"team_2": value})
    assert user.attributes == {"team_2": value}


@pytest.mark.parametrize(
    "value",
    [
        *(0.5, 1.0, float("inf"), None, {}, {"a": 1}, [1], [None], [["a"]], ["a", True], 2**63),
        *("\0", "\ud800", ["\0"], ["\ud800"], -(2**63) - 1, ("a",), b"a"),
    ],
)
def test_such_attributes_are_refused_by_name(user: User, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        user.change_attributes({"fine": 1, "team": value})
    assert refused.value.context["field"] == "attributes.team"
    assert emitted(user) == []


WRONG_NAMES = ["", "Team", "2", "_a", "a-b", "a.b", "ä", "a" * 65, *sorted(RESERVED)]


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_such_names_of_attributes_are_refused(user: User, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        user.change_attributes({name: 1})
    assert refused.value.context["field"] == "attributes"


def test_attributes_are_bounded(user: User) -> None:
    user.change_attributes({f"a{n}": n for n in range(MAX_ATTRIBUTES)})
    with pytest.raises(Invalid):
        user.change_attributes({f"a{n}": n for n in range(MAX_ATTRIBUTES + 1)})


def test_one_is_not_true(user: User) -> None:
    user.change_attributes({"level": 1})
    user.change_attributes({"level": True})
    assert user.attributes["level"] is True
    for value in (1, "true", ["admin"]):
        with pytest.raises(Invalid):
            user.change_attributes({"admin": value})


def test_an_administrator_is_enabled_and_named_so(user: User) -> None:
    steps: list[Callable[[], None]] = [
        lambda: user.change_attributes({"admin": True}),
        user.disable,
        user.enable,
        lambda: user.change_attributes({"admin": False}),
    ]
    seen = [user.is_administrator]
    for step in steps:
        step()
        seen.append(user.is_administrator)
    assert seen == [False, True, False, True, False]


def test_a_token_opens_everything_for_ever_unless_told_otherwise() -> None:
    token = Token.issue(new_id("token"), USER, "laptop", "digest")
    assert (token.scopes, token.expires_at, token.purpose) == (list(SCOPES), None, "api")
    assert not token.expired(datetime.max.replace(tzinfo=UTC))


def test_a_token_expires_at_its_time() -> None:
    token = Token.issue(
        *(new_id("token"), USER, "", "digest", ["write", "read", "write"], SOON, "session")
    )
    assert (token.scopes, token.purpose) == (["read", "write"], "session")
    assert not token.expired(SOON - timedelta(microseconds=1))
    assert token.expired(SOON)


@pytest.mark.parametrize(
    "changed",
    [
        *({"scopes": []}, {"scopes": ["read", "root"]}, {"purpose": "fun"}),
        *({"expires_at": NOW.replace(tzinfo=None)}, {"expires_at": BEYOND}),
    ],
)
def test_such_tokens_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        Token.issue(new_id("token"), USER, "laptop", "digest", **changed)
    assert [refused.value.context["field"]] == list(changed)


def test_an_invitation_is_accepted_once_by_each_until_it_is_used_up() -> None:
    invitation = an_invitation()
    invitation.accept(USER, NOW)
    refuses(invitation, USER, NOW)
    invitation.accept(new_id("user"), NOW)
    refuses(invitation, new_id("user"), NOW)
    assert invitation.accepted[0] == USER
    assert emitted(invitation)[1:] == ["invitation.accepted.v1"] * 2


def test_an_invitation_closes_at_its_time_and_when_it_is_revoked() -> None:
    invitation = an_invitation()
    refuses(invitation, USER, SOON)
    invitation.revoke()
    refuses(invitation, USER, NOW)
    with pytest.raises(Conflict):
        invitation.revoke()


def refuses(invitation: Invitation, user: str, now: datetime) -> None:
    with pytest.raises(Conflict) as refused:
        invitation.accept(user, now)
    assert refused.value.code == "invitation-closed"


@pytest.mark.parametrize(
    "changed",
    [
        *({"role": None}, {"project": None}, {"project": None, "role": None}, {"role": "owner"}),
        *({"project": GROUP}, {"group": PROJECT}, {"uses": 0}, {"uses": MAX_USES + 1}),
        *({"expires_at": NOW.replace(tzinfo=None)}, {"note": "\0"}),
    ],
)
def test_such_invitations_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        an_invitation(**changed)


def test_an_invitation_can_lead_to_a_group_alone_or_to_both() -> None:
    assert an_invitation(project=None, role=None, group=GROUP).group == GROUP
    assert an_invitation(group=GROUP).project == PROJECT


def test_the_last_administrator_stays() -> None:
    first, second = sorted(new_id("user") for _ in range(2))
    administrators = Administrators.begin([first])
    administrators.remove(second)
    with pytest.raises(Conflict) as refused:
        administrators.remove(first)
    assert refused.value.code == "last-administrator"
    administrators.add(second)
    administrators.add(second)
    administrators.remove(first)
    assert administrators.users == [second]
    names = ("begun", "added", "removed")
    assert emitted(administrators) == [f"administrators.{name}.v1" for name in names]


def test_there_is_one_list_of_administrators_and_it_is_never_empty() -> None:
    assert Administrators.begin([USER]).id == ADMINISTRATORS
    assert kind_of(ADMINISTRATORS) == "administrators"
    with pytest.raises(Invalid):
        Administrators.begin([])
