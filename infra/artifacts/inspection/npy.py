"""NumPy's array files, but for arrays of Python objects: those are pickles."""

import re
from math import prod

from infra.artifacts.inspection.source import Refused, Source

_MAX_HEADER_BYTES = 10_000  # NumPy's own limit
_VERSIONS = {b"\x01\0": 2, b"\x02\0": 4, b"\x03\0": 4}
"""Bytes of the header's length, by version."""
_TOKEN = re.compile(r"\s*(?:'([^'\\]*)'|(\d{1,19})L?|(True|False)|([][(){}:,]))")
_TYPE = re.compile(r"[<>|=]?(?:([biufcmMOSUV?])(\d{0,9})|([?]))(?:\[\w{1,8}(?:/\d{1,9})?\])?")
_CHARACTER_BYTES = 4
_MAX_DEPTH = 8


class _Malformed(Exception):
    """The header is not what NumPy writes."""


def npy(source: Source) -> str:
    """Raises Refused for an array of objects, or one that is not as long as the file."""
    width = _VERSIONS.get(source.head[6:8])
    if width is None:
        raise _damaged()
    length = int.from_bytes(source.head[8 : 8 + width], "little")
    start = 8 + width + length
    if length > _MAX_HEADER_BYTES:
        raise _damaged()
    try:
        item_bytes, shape = _parse(source.read(8 + width, length).decode("latin-1"))
    except _Malformed:
        raise _damaged() from None
    if source.size != start + item_bytes * prod(shape):
        raise _damaged()
    return "npy"


def _damaged() -> Refused:
    return Refused("the array is not as its header says: save it again with NumPy", "npy")


def _parse(header: str) -> tuple[int, list[int]]:
    """Bytes of an item, and the shape. Raises _Malformed, Refused."""
    value = _Literal(header).value()
    if not isinstance(value, dict) or set(value) != {"descr", "fortran_order", "shape"}:
        raise _Malformed
    shape = value["shape"]
    if not isinstance(value["fortran_order"], bool) or not isinstance(shape, tuple):
        raise _Malformed
    return _item_bytes(value["descr"]), _sizes(shape)


def _sizes(shape: tuple[object, ...]) -> list[int]:
    sizes = [each for each in shape if isinstance(each, int) and not isinstance(each, bool)]
    if len(sizes) < len(shape) or len(sizes) > 64:
        raise _Malformed
    return sizes


def _item_bytes(description: object) -> int:
    if isinstance(description, list):
        return sum(map(_field_bytes, description))
    found = _TYPE.fullmatch(description) if isinstance(description, str) else None
    if found is None:
        raise _Malformed
    kind, size = found[1], found[2]
    if kind == "O":
        raise Refused(
            "an array of Python objects is a pickle, which can run code when it is loaded: save it"
            " with a plain type, or as a table",
            "pickle",
        )
    if not size:
        return 1
    return int(size) * (_CHARACTER_BYTES if kind == "U" else 1)


def _field_bytes(field: object) -> int:
    """A field of a structured type: name (or title and name), type, shape if any."""
    if not isinstance(field, tuple) or len(field) not in (2, 3):
        raise _Malformed
    shape = field[2] if len(field) == 3 else ()
    sizes = _sizes(shape if isinstance(shape, tuple) else (shape,))
    return _item_bytes(field[1]) * prod(sizes)


class _Literal:
    """The Python literal in a header: names, numbers, truth values and containers of them."""

    def __init__(self, text: str) -> None:
        self._tokens = self._split(text.rstrip(" \n"))
        self._at = 0

    def _split(self, text: str) -> list[re.Match[str]]:
        tokens, at = [], 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise _Malformed
            tokens.append(token)
            at = token.end()
        return tokens

    def value(self) -> object:
        """The whole. Raises _Malformed."""
        value = self._value(0)
        if self._at != len(self._tokens):
            raise _Malformed
        return value

    def _next(self) -> re.Match[str]:
        if self._at == len(self._tokens):
            raise _Malformed
        self._at += 1
        return self._tokens[self._at - 1]

    def _value(self, depth: int) -> object:
        token = self._next()
        text, number, truth, mark = token.groups()
        if text is not None:
            return text
        if number is not None:
            return int(number)
        if truth is not None:
            return truth == "True"
        if depth == _MAX_DEPTH:
            raise _Malformed
        return self._container(mark, depth)

    def _container(self, mark: str, depth: int) -> object:
        if mark == "[":
            return self._items("]", depth)
        if mark == "(":
            return tuple(self._items(")", depth))
        if mark == "{":
            return self._mapping(depth)
        raise _Malformed

    def _items(self, closing: str, depth: int) -> list[object]:
        items: list[object] = []
        while not self._closes(closing):
            items.append(self._value(depth + 1))
            if not self._passes(","):
                self._expect(closing)
                break
        return items

    def _mapping(self, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while not self._closes("}"):
            key = self._value(depth + 1)
            self._expect(":")
            if not isinstance(key, str) or key in found:
                raise _Malformed
            found[key] = self._value(depth + 1)
            if not self._passes(","):
                self._expect("}")
                break
        return found

    def _passes(self, mark: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][4] == mark:
            self._at += 1
            return True
        return False

    _closes = _passes

    def _expect(self, mark: str) -> None:
        if not self._passes(mark):
            raise _Malformed
