"""Keeps the values of secrets, sealed, in a stream of their own beside the record.

Each value lies under a random key id, which the record names; storing one changes nothing yet. It
is sealed with AES-256-GCM under the platform's key, which lies in a file and never in the broker,
and bound to its place. Erasing overwrites it on the broker's disk.
"""

import os
import secrets
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nats.aio.client import Client

from infra.event_log import direct_get
from infra.event_log.errors import LogUnavailable
from infra.event_log.message import LogMessage
from infra.event_log.reading import ANSWER_TIMEOUT_S, DirectReader, until_answered
from infra.secret_key import KeyUnusable, secret_key

STREAM = "SECRETS"
_NONCE_BYTES = 12
_MARK_BYTES = 8


class ValueGone(Exception):
    """There is no value to be had; says why, in words without it."""


class SecretVault:
    """Seals and opens values with the key in a file, which is read when first needed."""

    def __init__(self, client: Client, key_file: Path) -> None:
        self._client = client
        self._reader = DirectReader(client)
        self._key_file = key_file

    async def store(self, secret: str, value: str) -> str:
        """Keep a value; answers the id of its key. Raises LogUnavailable, KeyUnusable."""
        key = secrets.token_hex(16)
        subject = _subject(secret, key)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, value.encode(), subject.encode())
        # The broker knows a repeat by its id, so that no second copy of it is stored.
        await self._ask(subject, self._mark + nonce + sealed, {"Nats-Msg-Id": key})
        return key

    async def read(self, secret: str, key: str) -> str:
        """The value under a key. Raises ValueGone, LogUnavailable, KeyUnusable."""
        found = await self._find(secret, key)
        if found is None:
            raise ValueGone("its value was destroyed")
        mark, rest = found.payload[:_MARK_BYTES], found.payload[_MARK_BYTES:]
        if mark != self._mark:
            raise ValueGone("its value was sealed with another key than the platform has now")
        nonce, body = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, body, found.subject.encode()).decode()
        except InvalidTag:
            raise ValueGone("its stored value is damaged") from None

    async def holds(self, secret: str, key: str, value: str) -> bool:
        """Whether this very value lies under the key."""
        try:
            kept = await self.read(secret, key)
        except ValueGone:
            return False
        return secrets.compare_digest(kept.encode(), value.encode())

    async def erase(self, secret: str, key: str) -> None:
        """Destroy a value; nothing happens where there is none. Raises LogUnavailable."""
        found = await self._find(secret, key)
        if found is not None:
            body = orjson.dumps({"seq": found.position})  # overwritten, since nothing says not to
            await self._ask(f"$JS.API.STREAM.MSG.DELETE.{STREAM}", body)

    async def after(self, position: int, most: int) -> list[LogMessage]:
        """The next sealed values behind a position, as they lie in the stream."""
        return await self._reader.fetch(direct_get.after(STREAM, position, "secret.>", most))

    async def _find(self, secret: str, key: str) -> LogMessage | None:
        found = await self._reader.fetch(direct_get.last(STREAM, _subject(secret, key)))
        return found[0] if found else None

    async def _ask(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        answer = await until_answered(
            lambda: self._client.request(subject, body, ANSWER_TIMEOUT_S, headers=headers)
        )
        error = orjson.loads(answer.data).get("error")
        if error:
            raise LogUnavailable(f"the stream of secrets refused: {error.get('description')}")

    @cached_property
    def _key(self) -> bytes:
        return secret_key(self._key_file)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._key)

    @cached_property
    def _mark(self) -> bytes:
        """Tells this key from others, and nothing of it."""
        return sha256(b"key of secrets" + self._key).digest()[:_MARK_BYTES]


def parsed(subject: str) -> tuple[str, str]:
    """Secret and key of a subject in the stream."""
    _, secret, key = subject.split(".")
    return secret, key


def _subject(secret: str, key: str) -> str:
    return f"secret.{secret}.{key}"


__all__ = ["STREAM", "KeyUnusable", "SecretVault", "ValueGone", "parsed"]
