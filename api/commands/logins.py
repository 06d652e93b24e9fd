"""Login names: reserved like other names, and not to be guessed from the record.

The record holds a keyed digest of each, under the platform's secret: with another secret they are
not found again, and have to be given anew.
"""

import hmac

from domain.aggregate import Aggregate
from domain.name import NameReservation, reservation_id
from domain.text import checked_text
from infra.event_store import Session

_EVERYWHERE = "platform"


def login_place(secret: str, login: str) -> str:
    """Id of the reservation of a login; names that differ only in case are one. Raises Invalid."""
    name = checked_text(login, "login").casefold().encode()
    return reservation_id(_EVERYWHERE, "login", hmac.digest(secret.encode(), name, "sha256").hex())


async def assign_login(session: Session, user: str, place: str | None) -> list[Aggregate]:
    """What to save so that a user has this login, or none, in place of any other.

    Which one a user has is kept like a name too: the reservation is held by the login's.
    Raises Conflict `name-taken`.
    """
    own_place = reservation_id(_EVERYWHERE, "login-of", user)
    own = await session.find(NameReservation, own_place, repeats=False)
    held = own.holder if own is not None else None
    if held == place:
        return []
    changed: list[Aggregate] = []
    if own is not None and held is not None:
        before = await session.load(NameReservation, held, repeats=False)
        before.release()
        own.release()
        changed = [before, own]
    if place is None:
        return changed
    found = await session.find(NameReservation, place, repeats=False)
    taken: list[Aggregate] = [_taken(found, place, user), _taken(own, own_place, place)]
    return [*changed[:1], *taken]


async def user_of_login(session: Session, place: str) -> str | None:
    """Id of the user who has the login, if anybody has."""
    found = await session.find(NameReservation, place, repeats=False)
    return found.holder if found is not None else None


def _taken(found: NameReservation | None, place: str, holder: str) -> NameReservation:
    if found is None:
        return NameReservation.reserve(place, holder)
    found.take(holder)
    return found
