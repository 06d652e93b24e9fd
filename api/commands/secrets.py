"""Setting, rotating and deleting secrets: the value is kept, sealed, before the record names it.

What a crash or a refusal in between leaves behind is named nowhere, and swept by the custodian.
"""

from dataclasses import dataclass, field

from api.access.guard import Guard
from api.commands import entities
from domain.errors import DomainError
from domain.project import Project
from domain.secret import Secret, checked_value
from infra.event_log.errors import StorageFull, VersionConflict
from infra.event_store import Session
from infra.names import held
from infra.secret_vault import SecretVault

_REFUSED = (DomainError, VersionConflict, StorageFull)
"""What says for sure that nothing was recorded."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret as somebody sets it."""

    id: str
    project: str
    name: str
    description: str
    value: str = field(repr=False)


async def create(session: Session, guard: Guard, vault: SecretVault, asked: NewSecret) -> int:
    """Keep a value and record its name. Raises what `entities.create` does, and Invalid.

    A repeat is one only with the same value: with another one, the id is taken.
    """
    checked_value(asked.value)
    known = await session.find(Secret, asked.id, repeats=False)
    if known is not None:
        same = await vault.holds(known.id, known.first_key, asked.value)
        return await entities.create(session, guard, _made(asked, known.first_key if same else ""))
    made = _made(asked, "")
    await guard.load(session, Project, asked.project, repeats=False)
    await guard.require(session, made, "create")
    key = await vault.store(asked.id, asked.value)
    try:
        return await entities.create(session, guard, _made(asked, key))
    except _REFUSED:
        await vault.erase(asked.id, key)
        raise


def _made(asked: NewSecret, key: str) -> Secret:
    return Secret.create(asked.id, asked.project, asked.name, key, asked.description)


async def rotate(
    session: Session, guard: Guard, vault: SecretVault, id_: str, value: str
) -> tuple[int, str]:
    """Give a secret another value; answers the position, and the key of the one before.

    Raises NotFound, Forbidden, Invalid, and Conflict where it is archived or deleted.
    """
    checked_value(value)
    secret = await guard.load(session, Secret, id_, "update")
    secret.require_open()
    before, key = secret.key, await vault.store(id_, value)
    try:
        secret.rotate(key)
        return await session.save(secret), before
    except _REFUSED:
        await vault.erase(id_, key)
        raise


async def delete(session: Session, guard: Guard, id_: str) -> tuple[int, str]:
    """Close a secret and free its name; answers the position, and the key of its value.

    Raises NotFound, Forbidden, and Conflict for a second time.
    """
    secret = await guard.load(session, Secret, id_, "delete")
    secret.delete()
    reservation = await held(session, secret, secret.name)
    reservation.release()
    return await session.save(secret, reservation), secret.key
