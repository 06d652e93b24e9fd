"""Commands on people: registration, attributes, roles in projects, groups, tokens.

Who administers the platform is kept as a list of its own; it follows in the same save, so that
two changes at once cannot leave nobody.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from api.access.guard import Guard
from api.authentication import Subject
from api.commands.logins import assign_login
from domain.administrators import ADMINISTRATORS, Administrators
from domain.aggregate import Aggregate
from domain.errors import Conflict, Forbidden, Invalid
from domain.group import Group
from domain.project import Project
from domain.text import checked_text
from domain.token import Token
from domain.user import User
from infra.event_store import Session
from infra.person_keys import PersonKeys
from policies.pdp import PolicySet
from policies.schema import checked_value
from policies.subject import SUBJECT


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person or service account to register."""

    id: str
    name: str
    mail: str
    attributes: dict[str, Any]
    service: bool = False
    login: str | None = None  # the place of the login's reservation


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to issue for a user."""

    id: str
    user: str
    label: str
    digest: str
    scopes: list[str]
    expires_at: datetime | None


async def register(session: Session, guard: Guard, keys: PersonKeys, new: NewPerson) -> int:
    """Register somebody. Raises Forbidden, Invalid, Conflict `name-taken` and AlreadyDone."""
    draft = User.register(new.id, "", new.attributes, new.service)
    await guard.require(session, draft, "create")
    _require_administrator(guard, (False, False), _administers(draft))
    _check_types(guard.access.policies, new.attributes)
    user = User.register(new.id, await sealed(keys, new), new.attributes, new.service)
    try:
        logins = await assign_login(session, user.id, new.login) if new.login else []
    except Conflict:
        await session.refuse_repeated_creation(user)
        raise
    listed = await _administrators(session, user) if user.is_administrator else []
    return await session.save(user, *logins, *listed)


async def sealed(keys: PersonKeys, new: NewPerson) -> str:
    """Name and mail as ciphertext, under the key of the person. Raises Invalid."""
    profile = {"name": checked_text(new.name, "name"), "mail": checked_text(new.mail, "mail")}
    return await keys.seal(new.id, orjson.dumps(profile).decode())


async def change(session: Session, guard: Guard, id_: str, perform: Callable[[User], None]) -> int:
    """Do one thing to a user, if it may be done to the user before it and after it.

    Raises Conflict `last-administrator` where nobody would be left to administer, and Forbidden
    where somebody else than an administrator says who administers.
    """
    user = await guard.load(session, User, id_, "update")
    before = _administers(user)
    perform(user)
    await guard.require(session, user, "update")
    _require_administrator(guard, before, _administers(user))
    return await session.save(user, *await _administrators(session, user))


async def change_attributes(
    session: Session, guard: Guard, id_: str, attributes: dict[str, Any]
) -> int:
    """Replace a user's attributes. Raises Invalid for another type than policies declare."""

    def perform(user: User) -> None:
        user.change_attributes(attributes)
        _check_types(guard.access.policies, attributes)

    return await change(session, guard, id_, perform)


async def change_login(session: Session, guard: Guard, id_: str, login: str | None) -> int:
    """Give a user the login with this place, or none. Raises Conflict `name-taken`."""
    user = await guard.load(session, User, id_, "update")
    return await session.save(user, *await assign_login(session, user.id, login))


async def set_role(
    session: Session,
    guard: Guard,
    kind: type[User] | type[Group],
    id_: str,
    project: str,
    role: str | None,
) -> int:
    """Give a user or group a role in a project, or take it: for who may manage the project.

    Everybody may drop their own.
    """
    if role is None and kind is User and id_ == session.actor:
        return await _drop_role(session, guard, project)
    place = await guard.load(session, Project, project, "manage")
    member: User | Group = await guard.load(session, kind, id_)
    if role is None:
        member.revoke_role(place.id)
    else:
        member.grant_role(place.id, role)
    return await session.save(member)


async def set_membership(
    session: Session, guard: Guard, group_id: str, user_id: str, *, member: bool
) -> int:
    """Take a user into a group or out of it: for who may manage the group. Everybody may leave."""
    if not member and user_id == session.actor:
        return await _leave(session, guard, group_id)
    group = await guard.load(session, Group, group_id, "manage")
    user = await guard.load(session, User, user_id)
    if member:
        group.require_open()
        user.join(group.id)
    else:
        user.leave(group.id)
    return await session.save(user)


async def issue_token(session: Session, guard: Guard, new: NewToken, by: str | None) -> int:
    """Issue a token by means of another one, which it does not outlive unless that is a session's.

    Raises AlreadyDone for a repeat: its secret is not told again.
    """
    await session.find(Token, new.id)
    user = await guard.load(session, User, new.user, "issue_token")
    own = await session.find(Token, by or "", repeats=False)
    if own is not None and own.purpose == "api" and own.expires_at is not None:
        new = replace(new, expires_at=min(new.expires_at or own.expires_at, own.expires_at))
    token = Token.issue(new.id, user.id, new.label, new.digest, new.scopes, new.expires_at)
    return await session.save(user, token)  # the user first: a repeat at the same time tries again


async def revoke_token(session: Session, guard: Guard, id_: str) -> int:
    """Close a token for ever."""
    token = await guard.load(session, Token, id_, "revoke")
    token.revoke()
    return await session.save(token)


async def log_out(session: Session, token_id: str) -> int:
    """Close the token of a session. Raises Conflict for another kind of token."""
    token = await session.load(Token, token_id)
    if token.purpose != "session":
        raise Conflict("this token belongs to no session: revoke it by its id", id=token.id)
    token.revoke()
    return await session.save(token)


def require_scopes(caller: Subject, scopes: Iterable[str]) -> None:
    """Raise Forbidden unless the caller's token has all these scopes itself."""
    for scope in scopes:
        if scope not in caller.scopes:
            raise Forbidden(
                f"this token has not the scope `{scope}`, so it cannot give it",
                code="scope",
                scope=scope,
            )


async def _leave(session: Session, guard: Guard, group: str) -> int:
    guard.require_scope("group", "manage")
    user = await session.load(User, session.actor)
    if group not in user.groups:
        await guard.load(session, Group, group)
    user.leave(group)
    return await session.save(user)


async def _drop_role(session: Session, guard: Guard, project: str) -> int:
    guard.require_scope("project", "manage")
    user = await session.load(User, session.actor)
    if project not in user.roles:
        await guard.load(session, Project, project)
    user.revoke_role(project)
    return await session.save(user)


def _administers(user: User) -> tuple[bool, bool]:
    """Whether the user is an administrator, and whether enabling the account would make one."""
    return user.is_administrator, user.attributes.get("admin") is True


def _require_administrator(guard: Guard, before: tuple[bool, ...], after: tuple[bool, ...]) -> None:
    """Whatever the policies say, only administrators make or unmake one. Raises Forbidden."""
    if before != after and guard.access.subject["admin"] is not True:
        raise Forbidden("only administrators say who is one", field="attributes.admin")


def _check_types(policies: PolicySet, attributes: dict[str, Any]) -> None:
    """What policies would take for missing is refused: a limit as text would be none."""
    for name in policies.subject.attributes.keys() & attributes.keys() - SUBJECT.attributes.keys():
        type_ = policies.subject.attributes[name].type
        if checked_value(type_, attributes[name]) is None:
            field = f"attributes.{name}"
            raise Invalid(f"{field} must be of type `{type_}`: policies ask for it", field=field)


async def _administrators(session: Session, user: User) -> list[Aggregate]:
    """The list of administrators, as it is to be with this user."""
    listed = await session.find(Administrators, ADMINISTRATORS, repeats=False)
    if listed is None:
        return [Administrators.begin([user.id])] if user.is_administrator else []
    if user.is_administrator:
        listed.add(user.id)
    else:
        listed.remove(user.id)
    return [listed]
