"""The values of the secrets that a run names, if who asked for it may still use them.

Asked for when an attempt is about to start: what was deleted, archived or withdrawn since the run
was asked for is refused, and what was rotated has its newest value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from domain.errors import Forbidden
from domain.run import Run
from domain.secret import Secret
from domain.secret_references import MAX_TOTAL_BYTES
from infra.event_store import Session
from infra.secret_vault import KeyUnusable, SecretVault, ValueGone
from projections.access.active_policies import ActivePolicies
from workers.asker import Asker, asker_of

_log = structlog.get_logger(__name__)

_VARIABLES = "/variables/"


class SecretRefused(Exception):
    """An attempt does not get a secret; says which and why, for the record."""


@dataclass(frozen=True, slots=True)
class Granted:
    """Values of secrets: by the names of environment variables, and by places in parameters."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)


async def granted(
    session: Session, run: Run, policies: ActivePolicies, vault: SecretVault
) -> Granted:
    """All values that a run's attempt is to have. Raises SecretRefused."""
    if not run.secrets:
        return Granted()
    asker = await asker_of(session, run.created_by, policies)
    values = {id_: await _value(session, asker, vault, id_) for id_ in set(run.secrets.values())}
    places = sorted(run.secrets, key=len)  # what hides a value says where it is, as short as can be
    found = {place: values[run.secrets[place]] for place in places}
    if sum(len(value.encode()) for value in found.values()) > MAX_TOTAL_BYTES:
        raise SecretRefused(f"its secrets have more than {MAX_TOTAL_BYTES} bytes in all")
    variables = {p: value for p, value in found.items() if p.startswith(_VARIABLES)}
    return Granted(
        {place.removeprefix(_VARIABLES): value for place, value in variables.items()},
        {place: value for place, value in found.items() if place not in variables},
    )


async def _value(session: Session, asker: Asker, vault: SecretVault, id_: str) -> str:
    """The newest value of a secret. Where it was rotated just now, the one before may be gone."""
    secret = await session.load(Secret, id_)
    while True:
        try:
            return await _present_value(asker, vault, secret)
        except ValueGone as gone:
            before, secret = secret, await session.load(Secret, id_)
            if secret.key == before.key and not secret.deleted:
                raise SecretRefused(f"secret `{secret.name}`: {gone}") from None


async def _present_value(asker: Asker, vault: SecretVault, secret: Secret) -> str:
    if secret.archived:
        what = "deleted" if secret.deleted else "archived"
        raise SecretRefused(f"secret `{secret.name}` was {what}")
    try:
        await asker.require(secret, "use")
        return await vault.read(secret.id, secret.key)
    except Forbidden as refusal:
        raise SecretRefused(f"secret `{secret.name}`: {refusal.detail}") from None
    except KeyUnusable as fault:
        _log.error("key_of_secrets_unusable", why=str(fault))
        raise SecretRefused(f"secret `{secret.name}`: the platform cannot open secrets") from None
