"""Sessions: opened with login and password, closed by their own token."""

from datetime import datetime

from fastapi import APIRouter, status

from api.commands import passwords, people
from api.dependencies import ContextOf, ServicesOf, UserOf
from api.routes.bodies import Body, Written
from api.routes.users import Login, Password
from api.visit import VisitOf

router = APIRouter(prefix="/session", tags=["sessions"])


class Credentials(Body):
    """What somebody signs in with."""

    login: Login
    password: Password


class OpenSession(Written):
    """A session: the id of its token, and the token, shown this once."""

    user: str
    token: str
    expires_at: datetime


@router.post("", status_code=status.HTTP_201_CREATED)
async def log_in(body: Credentials, services: ServicesOf, visit: VisitOf) -> OpenSession:
    """Open a session of twelve hours. It needs no token."""
    opened, position = await passwords.log_in(services, visit, body.login, body.password)
    return session_answer(opened, position)


@router.delete("")
async def log_out(services: ServicesOf, caller: UserOf, context: ContextOf) -> Written:
    """Close the session whose token this is."""
    token = caller.token or ""
    position = await services.store.run(context, lambda session: people.log_out(session, token))
    return Written(id=token, position=position)


def session_answer(opened: passwords.NewSession, position: int) -> OpenSession:
    """A session in its wire form."""
    return OpenSession(
        id=opened.id,
        position=position,
        user=opened.user,
        token=opened.bearer,
        expires_at=opened.expires_at,
    )
