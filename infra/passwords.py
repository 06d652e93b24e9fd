"""Passwords as argon2id strings, kept outside the record, which holds a digest of each.

A string counts only while its digest is the one that the record names: storing changes nothing,
and what was replaced can be purged. Hashing takes 64 MB, so that at most two are made at once.
"""

import asyncio
from hashlib import sha256

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from nats.aio.client import Client

from domain.errors import Invalid
from domain.plain_data import holds_text
from infra.event_log import direct_get
from infra.event_log.errors import LogUnavailable
from infra.event_log.reading import ANSWER_TIMEOUT_S, DirectReader, until_answered

MIN_LENGTH = 10
MAX_LENGTH = 200

_STREAM = "PASSWORDS"
_AT_ONCE = 2
# Of a random text that nobody kept: to check it costs what a wrong password costs.
_NOBODYS = (
    "$argon2id$v=19$m=65536,t=3,p=4$+qg+lwbZyegCL80rCQtjsA$"
    "16y+wPvdrhb0FFrYA3cLm3zB40/HNCl2AtEOpeiq+68"
)


def checked_password(password: str) -> str:
    """A password of 10 to 200 characters that are text, without NUL. Raises Invalid."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Invalid(
            f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters, this one {len(password)}",
            field="password",
        )
    if not holds_text(password):
        raise Invalid("`password` contains NUL or half a character", field="password")
    return password


class Passwords:
    """Makes, keeps and checks argon2id strings in the broker's password stream."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reader = DirectReader(client)
        self._hasher = PasswordHasher()
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def hashed(self, password: str) -> str:
        """The argon2id string of a password, with a salt of its own. Raises Invalid."""
        checked_password(password)
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def store(self, user: str, hashed: str) -> str:
        """Keep a string; answers the digest for the record. Raises LogUnavailable."""
        digest = password_digest(hashed)
        subject = _subject(user, digest)
        answer = await until_answered(
            lambda: self._client.request(subject, hashed.encode(), ANSWER_TIMEOUT_S)
        )
        _require_done(answer.data)
        return digest

    async def matches(self, user: str, digest: str | None, password: str) -> bool:
        """Whether it is the password whose string has this digest.

        Takes as long for users without a password, and for those who are not there.
        """
        subject = _subject(user, digest or "0" * 64)
        found = await self._reader.fetch(direct_get.last(_STREAM, subject))
        hashed = found[0].payload.decode() if found else ""
        known = bool(hashed) and password_digest(hashed) == digest
        async with self._room:
            same = await asyncio.to_thread(self._verify, hashed if known else _NOBODYS, password)
        return known and same

    async def purge(self, user: str, digest: str) -> None:
        """Erase a string that counts no longer. Raises LogUnavailable."""
        body = orjson.dumps({"filter": _subject(user, digest)})
        subject = f"$JS.API.STREAM.PURGE.{_STREAM}"
        answer = await until_answered(lambda: self._client.request(subject, body, ANSWER_TIMEOUT_S))
        _require_done(answer.data)

    def _verify(self, hashed: str, password: str) -> bool:
        if not holds_text(password):
            password = ""  # as wrong, and as slow to find so
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def password_digest(hashed: str) -> str:
    """SHA-256 of an argon2 string, in hexadecimal."""
    return sha256(hashed.encode()).hexdigest()


def _subject(user: str, digest: str) -> str:
    return f"password.{user}.{digest[:16]}"


def _require_done(answer: bytes) -> None:
    error = orjson.loads(answer).get("error")
    if error:
        raise LogUnavailable(f"the password stream refused: {error.get('description')}")
