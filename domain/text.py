"""Rules for text that people give: names, free text, tags, ids."""

import re
import unicodedata

from domain.errors import Invalid
from domain.plain_data import holds_text

MAX_NAME = 128
MAX_TEXT = 16_384
MAX_TAGS = 64

_ID = re.compile(r"([a-z]+)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TAG_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")


def checked_name(name: str) -> str:
    """A name of 1 to 128 printable characters without `/`, not padded with blanks.

    Raises Invalid with what is wrong.
    """
    if not 0 < len(name) <= MAX_NAME:
        raise Invalid(f"a name has 1 to {MAX_NAME} characters, this one {len(name)}", field="name")
    if name != name.strip():
        raise Invalid("a name neither starts nor ends with a blank", field="name")
    wrong = [c for c in name if c == "/" or (unicodedata.category(c)[0] in "CZ" and c != " ")]
    if wrong:
        raise Invalid(f"a name cannot contain {wrong[0]!r}", field="name")
    return name


def checked_text(text: str, field: str) -> str:
    """Free text of at most 16,384 characters that can be stored. Raises Invalid."""
    if len(text) > MAX_TEXT:
        raise Invalid(f"`{field}` has {len(text)} characters, at most {MAX_TEXT}", field=field)
    if not holds_text(text):
        raise Invalid(f"`{field}` contains NUL or half a character", field=field)
    return text


def checked_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags: short identifier-like keys with short text. Raises Invalid."""
    if len(tags) > MAX_TAGS:
        raise Invalid(f"{len(tags)} tags, at most {MAX_TAGS}", field="tags")
    for key, value in tags.items():
        if not _TAG_KEY.fullmatch(key):
            raise Invalid(f"{key!r} is not a tag key: letters, digits and _ . : -", field="tags")
        if len(value) > 256 or not holds_text(value):
            raise Invalid(f"the value of tag `{key}` is too long or contains NUL", field="tags")
    return tags


def checked_id(id_: str, kind: str) -> str:
    """An id `<kind>-<uuid>`. Raises Invalid."""
    if not is_id(id_, kind):
        raise Invalid(f"{id_!r} is not an id of the form {kind}-<uuid>", field="id")
    return id_


def is_id(text: str, kind: str) -> bool:
    """Whether it has the form of an id of this kind."""
    match = _ID.fullmatch(text)
    return match is not None and match[1] == kind


def kind_of(id_: str) -> str:
    """The kind in front of an id's first dash."""
    return id_.partition("-")[0]
