"""Bearer secrets: how they look, and the digest the record keeps of them."""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from uuid import UUID

_KINDS: Mapping[str, Literal["token", "run", "invitation"]] = {
    "u": "token",
    "r": "run",
    "i": "invitation",
}
_MARKS: Mapping[str, str] = {kind: mark for mark, kind in _KINDS.items()}
_SECRET = re.compile(r"hs([uri])_([0-9a-f]{32})_([A-Za-z0-9_-]{20,100})")


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token taken apart: the id of what it belongs to (`token-`, `run-`), and its secret.

    Invitations have secrets of the same form, which open nothing as tokens.
    """

    kind: Literal["token", "run", "invitation"]
    id: str
    secret: str

    def matches(self, digest: str) -> bool:
        """Whether the secret has this digest, in constant time."""
        return hmac.compare_digest(secret_digest(self.secret), digest)


def make_bearer(id_: str, secret: str | None = None) -> str:
    """A token for the `token-...`, `run-...` or `invitation-...` with this id."""
    kind, _, uuid = id_.partition("-")
    return f"hs{_MARKS[kind]}_{UUID(uuid).hex}_{secret or secrets.token_urlsafe(32)}"


def read_bearer(text: str) -> Bearer | None:
    """The parts of a token, or None if it is not one."""
    found = _read(text)
    return found if found is not None and found.kind != "invitation" else None


def read_invitation(text: str) -> Bearer | None:
    """The parts of the secret of an invitation, or None if it is not one."""
    found = _read(text)
    return found if found is not None and found.kind == "invitation" else None


def _read(text: str) -> Bearer | None:
    match = _SECRET.fullmatch(text)
    if match is None:
        return None
    kind = _KINDS[match[1]]
    return Bearer(kind, f"{kind}-{UUID(hex=match[2])}", match[3])


def secret_digest(secret: str) -> str:
    """SHA-256 in hex: enough for secrets of 256 random bits."""
    return sha256(secret.encode()).hexdigest()
