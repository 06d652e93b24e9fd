"""A checkpoint: how many events there were, the root of their tree, when, and what came before.

Source: C2SP tlog-checkpoint; `time`, `previous` and `key` are extension lines of ours.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from hansard.formats.merkle import HASH_BYTES
from infra.audit.note import Note, PrivateKey, PublicKey, signed_note

FIRST = "none"
"""What the first checkpoint names as the one before it."""

_HASH = r"[A-Za-z0-9+/]{43}="
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TEXT = re.compile(
    r"(?P<origin>[^\s+]{1,200})\n"
    r"(?P<size>0|[1-9][0-9]{0,15})\n"
    rf"(?P<root>{_HASH})\n"
    r"time (?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)\n"
    rf"previous (?P<previous>{_HASH}|{FIRST})\n"
    r"(?:key (?P<key>\S{1,400})\n)?"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed. `key` is the key that signs from here on, where that changes."""

    origin: str
    size: int
    root: bytes
    time: datetime
    previous: str
    key: PublicKey | None = None

    def text(self) -> str:
        """The text of the note."""
        lines = [
            self.origin,
            str(self.size),
            b64encode(self.root).decode(),
            f"time {self.time.astimezone(UTC).strftime(_TIME)}",
            f"previous {self.previous}",
            *([f"key {self.key}"] if self.key else []),
        ]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint of a note's text. Raises ValueError."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError("not a checkpoint: origin, size, root, time, previous, maybe key")
        root = b64decode(match["root"])
        assert len(root) == HASH_BYTES
        return cls(
            match["origin"],
            int(match["size"]),
            root,
            datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC),
            match["previous"],
            PublicKey.parse(match["key"]) if match["key"] else None,
        )

    def signed(self, *keys: PrivateKey) -> "SignedCheckpoint":
        """This checkpoint with the keys' signatures."""
        return SignedCheckpoint(self, signed_note(self.text(), keys))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as somebody gave it; whether its signatures hold is asked of the note."""

    said: Checkpoint
    note: Note

    @classmethod
    def parse(cls, text: str) -> "SignedCheckpoint":
        """The checkpoint of a note. Raises ValueError."""
        note = Note.parse(text)
        return cls(Checkpoint.parse(note.text), note)

    @property
    def digest(self) -> str:
        """What the next checkpoint names as `previous`: the SHA-256 of the signed text."""
        return b64encode(sha256(self.note.text.encode()).digest()).decode()
