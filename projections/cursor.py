"""Opaque page cursors, each bound to its list, sort, filter, subject and policies."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from domain.errors import Invalid

_MAC_BYTES = 16


class CursorSigner:
    """Makes and checks cursors."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, place: list[Any], binding: bytes) -> str:
        """An opaque cursor for the row at `place`."""
        body = orjson.dumps(place)
        return urlsafe_b64encode(self._mac(body, binding) + body).decode()

    def read(self, cursor: str, binding: bytes) -> list[Any]:
        """The place in a cursor. Raises Invalid if it was not made for this list."""
        try:
            raw = urlsafe_b64decode(cursor.encode())
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        except ValueError:
            mac, body = b"", b""
        if not body or not hmac.compare_digest(mac, self._mac(body, binding)):
            raise Invalid(
                "this cursor was not made for this list, sort, filter, user and policies; "
                "start again without it",
                code="invalid-cursor",
            )
        place: list[Any] = orjson.loads(body)
        return place

    def _mac(self, body: bytes, binding: bytes) -> bytes:
        return hmac.digest(self._secret, binding + b"\0" + body, hashlib.sha256)[:_MAC_BYTES]
