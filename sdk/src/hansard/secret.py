"""Secret parameters: a type that does not show its value, and how values reach a step's process."""

import base64
import hmac
import json
import os
from collections.abc import Sequence
from typing import Any, NoReturn

_HIDDEN = "**********"
_PIECE = 64 * 1024
_STDIN = 0


class Secret:
    """Text that is not shown: `str`, `repr`, f-strings and tracebacks have stars in its place.

    As the type of a parameter it asks for a secret by name: `{"secret": NAME}`.

    >>> token = Secret("hunter2")
    >>> print(token, [token], token.reveal())
    ********** [Secret('**********')] hunter2
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a secret is text, not {type(value).__name__}")
        self._value = value

    def reveal(self) -> str:
        """The value."""
        return self._value

    get_secret_value = reveal
    """The same, for code that was written for pydantic's `SecretStr`."""

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN!r})"

    def __str__(self) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: pass on what `reveal()` answers, if you must")


def pack_secrets(values: Sequence[str]) -> bytes:
    """Values as a step's runner reads them from its standard input."""
    return json.dumps([base64.b64encode(value.encode()).decode() for value in values]).encode()


def receive_secrets(descriptor: int = _STDIN) -> list[Secret]:
    """What was packed, read from a descriptor to its end; then nothing can be read from it again.

    Raises ValueError for anything else.
    """
    data = b""
    while piece := os.read(descriptor, _PIECE):
        data += piece
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
    return [Secret(base64.b64decode(each).decode()) for each in json.loads(data)]


def put_secret(document: Any, place: str, secret: Secret) -> None:
    """Put a secret at a place (a JSON pointer) of a document. Raises LookupError, ValueError."""
    *path, last = (_key(part) for part in place.split("/")[1:])
    for key in path:
        document = document[_index(document, key)]
    document[_index(document, last)] = secret


def _key(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _index(document: Any, key: str) -> Any:
    return int(key) if isinstance(document, list) else key
