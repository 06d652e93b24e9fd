"""Tables: Parquet and Arrow, closed by what opened them, without types that are pickles."""

import re
from base64 import b64decode

from infra.artifacts.inspection.source import Refused, Source

_FOOTER_BYTES = 4 << 20
"""Read of a footer: its end, where the description of the types is."""
_MAX_MESSAGE_BYTES = 4 << 20
_ARROW_IN_PARQUET = re.compile(rb"ARROW:schema[^A-Za-z0-9+/]{0,8}([A-Za-z0-9+/]{64,}={0,2})")
_PICKLED_TYPE = b"arrow.py_extension_type"
_PARQUET, _ARROW = b"PAR1", b"ARROW1"
_CONTINUATION = b"\xff\xff\xff\xff"
_SCHEMA = 1
_STRUCT_OF_VERSION = 0x15  # how the description in a Parquet footer begins: with a 32-bit number


def parquet(source: Source) -> str:
    """Raises Refused unless the footer is where its length says."""
    size = source.size
    length = int.from_bytes(source.read(size - 8, 4), "little") if size >= 12 else 0
    if source.read(size - 4, 4) != _PARQUET or not 0 < length <= size - 12:
        raise _damaged("Parquet", "parquet")
    start = size - 8 - length
    if source.read(start, 1)[0] != _STRUCT_OF_VERSION:
        raise _damaged("Parquet", "parquet")
    kept = min(length, _FOOTER_BYTES)
    footer = source.read(size - 8 - kept, kept)
    for found in _ARROW_IN_PARQUET.finditer(footer):
        encoded = found[1].rstrip(b"=")
        _check_types(b64decode(encoded[: len(encoded) // 4 * 4]))
    return "parquet"


def arrow_file(source: Source) -> str:
    """Raises Refused unless the end is that of an Arrow file."""
    size = source.size
    if size < 24 or source.read(size - 6, 6) != _ARROW:
        raise _damaged("Arrow", "arrow")
    length = int.from_bytes(source.read(size - 10, 4), "little")
    if not 0 < length <= size - 18:
        raise _damaged("Arrow", "arrow")
    kept = min(length, _FOOTER_BYTES)
    _check_types(source.read(size - 10 - length, kept))
    _check_schema(source, 8)
    return "arrow"


def arrow_stream(source: Source) -> str:
    """Raises Refused unless the first message tells of the columns."""
    _check_schema(source, 0)
    return "arrow"


def _check_schema(source: Source, at: int) -> None:
    length = int.from_bytes(source.read(at + 4, 4), "little")
    if source.read(at, 4) != _CONTINUATION or not 16 <= length <= _MAX_MESSAGE_BYTES:
        raise _damaged("Arrow", "arrow")
    message = source.read(at + 8, length)
    if _message_type(message) != _SCHEMA:
        raise _damaged("Arrow", "arrow")
    _check_types(message)


def _message_type(message: bytes) -> int:
    """The second field of a message, through the table of a flatbuffer that says where it is."""
    table = int.from_bytes(message[:4], "little")
    fields = table - int.from_bytes(message[table : table + 4], "little", signed=True)
    if fields < 0:
        return 0
    at = table + int.from_bytes(message[fields + 6 : fields + 8], "little")
    return message[at] if at < len(message) else 0


def _check_types(description: bytes) -> None:
    if _PICKLED_TYPE in description:
        raise Refused(
            "a column has a type that is a pickle, which can run code when it is read: write the"
            " table with plain types",
            "pickle",
        )


def _damaged(name: str, format_: str) -> Refused:
    return Refused(f"it begins like {name} and does not end so: write it again", format_)
