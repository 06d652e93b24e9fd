"""Passwords and the sessions they open; of a password, the record holds a digest of its hash.

A password that is set leaves open sessions open: their tokens are listed, and revoked one by one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from api.access.guard import Guard
from api.commands.logins import login_place, user_of_login
from api.services import Services
from api.visit import Visit
from domain.aggregate import Context
from domain.errors import Conflict, DomainError, Forbidden, Invalid
from domain.token import SCOPES, Token
from domain.user import User
from hansard.formats.ids import new_id
from infra.event_store import Session
from infra.passwords import checked_password, password_digest
from infra.secret_digest import make_bearer, read_bearer, secret_digest

SESSION_LENGTH = timedelta(hours=12)

_NOBODY = "user-ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session's token as it is told once, and what the record shall hold of it."""

    id: str
    user: str
    bearer: str
    expires_at: datetime

    def token(self) -> Token:
        """The token to save."""
        parts = read_bearer(self.bearer)
        assert parts is not None
        digest = secret_digest(parts.secret)
        return Token.issue(
            self.id, self.user, "session", digest, SCOPES, self.expires_at, "session"
        )


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password to set, and the present one as far as it was given."""

    password: str
    current: str | None


def new_session(user: str, now: datetime) -> NewSession:
    """Twelve hours for a user, with all scopes."""
    id_ = new_id("token")
    return NewSession(id_, user, make_bearer(id_), now + SESSION_LENGTH)


async def log_in(
    services: Services, visit: Visit, login: str, password: str
) -> tuple[NewSession, int]:
    """Open a session; answers it and its position.

    Raises DomainError `login-failed`, whatever is wrong, and `too-many-logins`.
    """
    key = f"login {login}"
    services.logins.attempt(visit.address, key)
    place = login_place(services.settings.secret, login)

    async def find(session: Session) -> User | None:
        """As many reads for a login that nobody has."""
        id_ = await user_of_login(session, place)
        return await session.find(User, id_ or _NOBODY, repeats=False)

    user = await services.store.run(visit.context("nobody"), find)
    id_, digest = (user.id, user.password_digest) if user is not None else (_NOBODY, None)
    matches = await services.passwords.matches(id_, digest, password)
    if user is None or not user.enabled or not matches:
        raise DomainError("no enabled user has this login and password", code="login-failed")
    services.logins.succeeded(visit.address, key)
    opened = new_session(user.id, visit.time)
    context = visit.context(user.id)
    position = await services.store.run(context, lambda session: session.save(opened.token()))
    return opened, position


async def set_password(
    services: Services, guard: Guard, context: Context, visit: Visit, id_: str, new: NewPassword
) -> int:
    """Set a user's password; one's own only with the present one, if there is one.

    Raises Invalid, Forbidden, and Conflict when somebody else has set it meanwhile.
    """
    checked_password(new.password)
    user = await services.store.run(
        context, lambda session: guard.load(session, User, id_, "set_password")
    )
    before = user.password_digest
    if before is not None and user.id == context.actor:
        await _check_current(services, visit, user, new.current)
    hashed = await services.passwords.hashed(new.password)

    async def command(session: Session) -> int:
        user = await guard.load(session, User, id_, "set_password")
        if user.password_digest != before:
            raise Conflict("this password was set by somebody else meanwhile", id=user.id)
        user.set_password(password_digest(hashed))
        await services.passwords.store(user.id, hashed)
        return await session.save(user)

    position = await services.store.run(context, command)
    if before is not None:
        await services.passwords.purge(id_, before)
    return position


async def _check_current(services: Services, visit: Visit, user: User, current: str | None) -> None:
    if current is None:
        raise Invalid("your present password is needed", field="current_password")
    key = f"password of {user.id}"  # not to be locked through the login of the same text
    services.logins.attempt(visit.address, key)
    if not await services.passwords.matches(user.id, user.password_digest, current):
        raise Forbidden("this is not your present password", field="current_password")
    services.logins.succeeded(visit.address, key)
