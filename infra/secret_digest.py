"""Bearer secrets: how they look, and the digest the record keeps of them."""

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from uuid import UUID

_TOKEN = re.compile(r"hs([ur])_([0-9a-f]{32})_([A-Za-z0-9_-]{20,100})")


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token taken apart: the id of what it belongs to (`token-`, `run-`), and its secret."""

    kind: Literal["token", "run"]
    id: str
    secret: str

    def matches(self, digest: str) -> bool:
        """Whether the secret has this digest, in constant time."""
        return hmac.compare_digest(secret_digest(self.secret), digest)


def make_bearer(id_: str, secret: str | None = None) -> str:
    """A token for the `token-...` or `run-...` with this id."""
    kind, _, uuid = id_.partition("-")
    mark = {"token": "u", "run": "r"}[kind]
    return f"hs{mark}_{UUID(uuid).hex}_{secret or secrets.token_urlsafe(32)}"


def read_bearer(text: str) -> Bearer | None:
    """The parts of a token, or None if it is not one."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    kind: Literal["token", "run"] = "token" if match[1] == "u" else "run"
    return Bearer(kind, f"{kind}-{UUID(hex=match[2])}", match[3])


def secret_digest(secret: str) -> str:
    """SHA-256 in hex: enough for secrets of 256 random bits."""
    return sha256(secret.encode()).hexdigest()
