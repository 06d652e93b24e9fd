"""Signed notes: a text that people can read, and below it who signed it, by Ed25519.

Source: C2SP signed-note, whose forms of notes and of keys these are, so that tools which know
that format read ours.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_RAW_BYTES = 32
_ID_BYTES = 4
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[!-*,-~]{1,200}")  # printable, neither blank nor plus
_SIGNATURE = re.compile(r"\u2014 (\S+) (\S+)")
_MAX_CHARACTERS = 64 << 10
_MAX_SIGNATURES = 16


@dataclass(frozen=True)
class PublicKey:
    """What a signature is checked with. As text: `<name>+<id>+<base64>`."""

    name: str
    raw: bytes

    @cached_property
    def id(self) -> bytes:
        """Four bytes that tell a name's keys apart."""
        return sha256(f"{self.name}\n".encode() + _ED25519 + self.raw).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(_ED25519 + self.raw).decode()}"

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """The key of a text. Raises ValueError."""
        name, _, rest = text.strip().partition("+")
        id_, _, encoded = rest.partition("+")
        key = cls(name, _raw(encoded))
        if not _NAME.fullmatch(name) or id_ != key.id.hex():
            raise ValueError("not a public key: <name>+<id>+<base64>, as `hansard audit keys` says")
        return key

    def signed(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature of a text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """What a note is signed with; its text is a secret."""

    name: str
    seed: bytes

    @cached_property
    def public(self) -> PublicKey:
        """The key that others check with."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return PublicKey(self.name, key.public_bytes_raw())

    def secret_text(self) -> str:
        """The key as text, to be kept with mode 0600."""
        return f"{_PRIVATE}{self.name}+{b64encode(_ED25519 + self.seed).decode()}"

    @classmethod
    def parse(cls, text: str) -> "PrivateKey":
        """The key of a text. Raises ValueError, which does not show it."""
        name, _, encoded = text.strip().removeprefix(_PRIVATE).partition("+")
        if not _NAME.fullmatch(name):
            raise ValueError("not a private key")
        return cls(name, _raw(encoded))

    def sign(self, text: str) -> bytes:
        """The signature of a text."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())


@dataclass(frozen=True)
class Note:
    """A text that ends with a line break, and its signatures: name, id of the key, signature."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def __str__(self) -> str:
        lines = [
            f"\u2014 {name} {b64encode(id_ + signature).decode()}\n"
            for name, id_, signature in self.signatures
        ]
        return self.text + "\n" + "".join(lines)

    @classmethod
    def parse(cls, found: str) -> "Note":
        """The note of a text. Raises ValueError."""
        text, separator, rest = found.rpartition("\n\n")
        lines = rest.splitlines()
        if not separator or len(found) > _MAX_CHARACTERS or not 0 < len(lines) <= _MAX_SIGNATURES:
            raise ValueError("not a signed note: a text, an empty line, and signatures")
        return cls(text + "\n", tuple(map(_signature, lines)))

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether one of the signatures is this key's."""
        return any(
            key.signed(self.text, signature)
            for name, id_, signature in self.signatures
            if (name, id_) == (key.name, key.id)
        )


def signed_note(text: str, keys: Sequence[PrivateKey]) -> Note:
    """The text, signed with each key."""
    return Note(text, tuple((key.name, key.public.id, key.sign(text)) for key in keys))


def _signature(line: str) -> tuple[str, bytes, bytes]:
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise ValueError("not a signed note: a line of signature is `\u2014 <name> <base64>`")
    raw = _decoded(match[2])
    return match[1], raw[:_ID_BYTES], raw[_ID_BYTES:]


def _raw(encoded: str) -> bytes:
    found = _decoded(encoded)
    if found[:1] != _ED25519 or len(found) != 1 + _RAW_BYTES:
        raise ValueError("not an Ed25519 key")
    return found[1:]


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise ValueError("not base64") from None
