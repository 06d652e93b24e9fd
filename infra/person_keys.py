"""Keys that seal personal text, one per person, kept outside the record.

Erasing a key erases the person: sealed text in the record stays where it is, unreadable for ever,
and the hash chains over it stay valid. AES-256-GCM; the person's id is bound to the ciphertext.
"""

import hmac
from base64 import b64decode, b64encode

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nats.aio.client import Client

from infra.event_log import direct_get
from infra.event_log.errors import LogUnavailable
from infra.event_log.message import LogMessage
from infra.event_log.reading import ANSWER_TIMEOUT_S, DirectReader, until_answered

_STREAM = "KEYS"
_NONCE_BYTES = 12


class PersonKeys:
    """Seals and opens text with keys in the broker's key stream."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reader = DirectReader(client)

    async def seal(self, person: str, text: str) -> str:
        """The text as ciphertext, base64; makes the person's key on first use."""
        key = await self._find(person) or await self._make(person)
        # From the text, so that a repeated registration is the same event; as a nonce it repeats
        # for the same key only together with the same text.
        nonce = hmac.digest(key, text.encode(), "sha256")[:_NONCE_BYTES]
        sealed = AESGCM(key).encrypt(nonce, text.encode(), person.encode())
        return b64encode(nonce + sealed).decode()

    async def open(self, person: str, sealed: str) -> str | None:
        """The text again, or None once the person's key is erased."""
        key = await self._find(person)
        if key is None:
            return None
        raw = b64decode(sealed)
        try:
            nonce, body = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return AESGCM(key).decrypt(nonce, body, person.encode()).decode()
        except InvalidTag:
            return None

    async def erase(self, person: str) -> None:
        """Destroy the person's key; nothing happens where there is none. Raises LogUnavailable."""
        found = await self._stored(person)
        if found is None:
            return
        body = orjson.dumps({"seq": found.position})  # overwritten, since nothing says not to
        subject = f"$JS.API.STREAM.MSG.DELETE.{_STREAM}"
        answer = await until_answered(lambda: self._client.request(subject, body, ANSWER_TIMEOUT_S))
        error = orjson.loads(answer.data).get("error")
        if error and await self._stored(person) is not None:
            raise LogUnavailable(f"the key stream refused: {error.get('description')}")

    async def _find(self, person: str) -> bytes | None:
        found = await self._stored(person)
        return found.payload if found else None

    async def _stored(self, person: str) -> LogMessage | None:
        found = await self._reader.fetch(direct_get.last(_STREAM, f"keys.{person}"))
        return found[0] if found else None

    async def _make(self, person: str) -> bytes:
        """Another process may make it at the same moment: the first one stored counts."""
        key = AESGCM.generate_key(256)
        headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
        await until_answered(
            lambda: self._client.request(f"keys.{person}", key, 3, headers=headers)
        )
        stored = await self._find(person)
        assert stored is not None
        return stored
