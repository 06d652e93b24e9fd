"""Invitations: issued to a project or a group, accepted by users, or by people who become users.

Whatever is wrong with a secret has one answer: that there is no such invitation. One is worth what
its issuer may do now, not what that was once.
"""

from dataclasses import dataclass
from datetime import datetime

from api.access.guard import Guard
from api.commands.logins import assign_login, login_place
from api.commands.passwords import NewSession, new_session
from api.commands.people import NewPerson, sealed
from api.services import Services
from api.visit import Visit
from domain.aggregate import Aggregate
from domain.errors import Conflict, Forbidden, NotFound
from domain.group import Group
from domain.invitation import Invitation
from domain.project import Project
from domain.role import Role
from domain.user import User
from hansard.formats.ids import new_id
from infra.event_store import Session
from infra.passwords import checked_password, password_digest
from infra.secret_digest import read_invitation
from policies.access import Access
from policies.pdp import PolicySet
from projections.access.facts import facts_of, subject_values


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation to issue."""

    id: str
    digest: str
    project: str | None
    role: str | None
    group: str | None
    expires_at: datetime
    uses: int
    note: str


@dataclass(frozen=True, slots=True)
class Joining:
    """Somebody who opens an invitation without being a user yet."""

    secret: str
    name: str
    mail: str
    login: str
    password: str


async def issue(session: Session, guard: Guard, new: NewInvitation) -> int:
    """Issue an invitation. Raises AlreadyDone for a repeat: its secret is not told again."""
    await session.find(Invitation, new.id)
    invitation = Invitation.issue(
        new.id,
        new.digest,
        project=new.project,
        role=new.role,
        group=new.group,
        expires_at=new.expires_at,
        uses=new.uses,
        note=new.note,
    )
    aims: list[Project | Group] = []
    if new.project is not None:
        aims.append(await guard.load(session, Project, new.project, repeats=False))
    if new.group is not None:
        aims.append(await guard.load(session, Group, new.group, repeats=False))
    for aim in aims:
        aim.require_open()
    await guard.require(session, invitation, "create")
    return await session.save(*aims, invitation)  # so that a repeat at the same time tries again


async def revoke(session: Session, guard: Guard, id_: str) -> int:
    """Close an invitation for ever."""
    invitation = await guard.load(session, Invitation, id_, "revoke")
    invitation.revoke()
    return await session.save(invitation)


async def accept(session: Session, guard: Guard, visit: Visit, secret: str) -> int:
    """Become what an invitation says, as the user who commands. Raises NotFound."""
    user = await session.load(User, session.actor)
    policies = guard.access.policies
    invitation, _ = await _accepted(session, policies, secret, user.id, visit.time)
    _become(user, invitation)
    return await session.save(invitation, user)


async def join(services: Services, visit: Visit, asked: Joining) -> tuple[NewSession, int]:
    """Become a user through an invitation; answers the first session and its position.

    Raises NotFound, Forbidden, Invalid, Conflict `name-taken`, and DomainError `too-many-logins`.
    """
    services.logins.attempt(visit.address)
    checked_password(asked.password)
    login = login_place(services.settings.secret, asked.login)
    new = NewPerson(new_id("user"), asked.name, asked.mail, {}, login=login)
    context = visit.context(new.id)

    async def admitted(session: Session, user: User) -> Invitation:
        policies = await services.policies.current()
        invitation, issuer = await _accepted(session, policies, asked.secret, user.id, visit.time)
        if not services.settings.open_invitations:
            await _require_registrar(session, issuer, user)
        return invitation

    async def check(session: Session) -> None:
        await admitted(session, User.register(new.id, "", new.attributes))
        await assign_login(session, new.id, login)

    await services.store.run(context, check)
    profile = await sealed(services.keys, new)
    hashed = await services.passwords.hashed(asked.password)
    opened = new_session(new.id, visit.time)

    async def command(session: Session) -> int:
        user = User.register(new.id, profile, new.attributes)
        user.set_password(password_digest(hashed))
        invitation = await admitted(session, user)
        _become(user, invitation)
        logins = await assign_login(session, user.id, login)
        saved: list[Aggregate] = [invitation, user, *logins, opened.token()]
        await services.passwords.store(user.id, hashed)
        return await session.save(*saved)

    position = await services.store.run(context, command)
    services.logins.succeeded(visit.address)
    return opened, position


async def _accepted(
    session: Session, policies: PolicySet, secret: str, user: str, now: datetime
) -> tuple[Invitation, Access]:
    """The invitation with this secret, accepted by the user, and the rights of who issued it.

    It is void while they could not issue it, and for themselves. Raises NotFound.
    """
    bearer = read_invitation(secret)
    id_ = bearer.id if bearer is not None else ""
    invitation = await session.find(Invitation, id_)
    if bearer is None or invitation is None or not bearer.matches(invitation.digest):
        raise _missing()
    issuer = await session.find(User, invitation.created_by, repeats=False)
    if issuer is None or not issuer.enabled or issuer.id == user:
        raise _missing()
    values = await subject_values(session, issuer)
    access = Access(policies, policies.subject.facts(values), now)
    facts = await facts_of(session, invitation)
    if not access.ruling("invitation", "create", facts).permitted:
        raise _missing()
    try:
        invitation.accept(user, now)
    except Conflict:
        raise _missing() from None
    return invitation, access


async def _require_registrar(session: Session, issuer: Access, user: User) -> None:
    if not issuer.ruling("user", "create", await facts_of(session, user)).permitted:
        raise Forbidden("this invitation is for users only: ask an administrator to register you")


def _become(user: User, invitation: Invitation) -> None:
    """Give what was promised; a higher role than that stays."""
    if invitation.project is not None and invitation.role is not None:
        held = user.roles.get(invitation.project)
        order = list(Role)
        if held is None or order.index(Role(held)) < order.index(Role(invitation.role)):
            user.grant_role(invitation.project, invitation.role)
    if invitation.group is not None:
        user.join(invitation.group)


def _missing() -> NotFound:
    return NotFound("there is no open invitation with this secret")
