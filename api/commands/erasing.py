"""Erasing a person: recorded first, then the key of all that was ever sealed for them is destroyed.

Where a crash comes in between, nothing is shown all the same, and a repeat destroys the key.
"""

from api.access.guard import Guard
from api.commands.logins import assign_login
from api.services import Services
from domain.aggregate import Context
from domain.errors import Forbidden
from domain.user import User
from infra.event_store import AlreadyDone, Session


async def erase(services: Services, guard: Guard, context: Context, id_: str, reason: str) -> int:
    """Erase a user, whose login is free again; answers the position.

    Raises NotFound, Forbidden unless an administrator asks, Invalid, Conflict for one who is not
    disabled, LogUnavailable where the key may be left: it is to be asked for again.
    """
    try:
        position = await services.store.run(
            context, lambda session: _record(session, guard, id_, reason)
        )
    except AlreadyDone:
        await _destroy(services, context, id_)
        raise
    await _destroy(services, context, id_)
    return position


async def _record(session: Session, guard: Guard, id_: str, reason: str) -> int:
    user = await guard.load(session, User, id_, "update")
    if not guard.access.subject["admin"]:
        raise Forbidden("only administrators erase people")
    user.erase(reason)
    return await session.save(user, *await assign_login(session, id_, None))


async def _destroy(services: Services, context: Context, id_: str) -> None:
    user = await services.store.run(context, lambda s: s.load(User, id_, repeats=False))
    assert user.erased
    await services.keys.erase(id_)
    if user.password_digest is not None:
        await services.passwords.purge(id_, user.password_digest)
