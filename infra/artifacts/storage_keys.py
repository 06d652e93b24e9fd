"""What a key may look like: the same for a folder and for S3."""

import re

INCOMING = "incoming"
"""The folder of what is being written; no key begins with it."""

_KEY = re.compile(r"[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)+")
_MAX_CHARACTERS = 200


def is_key(text: str) -> bool:
    """Whether this is a relative path like `packs/ab/abcdef`."""
    fits = len(text) <= _MAX_CHARACTERS and _KEY.fullmatch(text) is not None
    return fits and ".." not in text and not text.startswith(f"{INCOMING}/")


def checked_key(text: str) -> str:
    """The text. Raises ValueError unless it is a key."""
    if not is_key(text):
        raise ValueError("a storage key is a path of lower-case names, such as packs/ab/abcdef")
    return text


def checked_range(offset: int, length: int | None) -> None:
    """Raises ValueError for a range that begins or ends before the content does."""
    if offset < 0 or (length is not None and length < 0):
        raise ValueError("offset and length of a range are not negative")
