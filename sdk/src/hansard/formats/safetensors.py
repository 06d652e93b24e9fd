"""The header of a safetensors file, read at least as strictly as the format's own library does.

The grammar is matched entry by entry, so that no nesting and no bulk of a hostile header costs more
than its length. Source: the safetensors format, https://huggingface.co/docs/safetensors.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from math import prod
from operator import attrgetter
from types import MappingProxyType

MAX_HEADER_BYTES = 8 << 20
MAX_ENTRIES = 100_000
"""Tensors, and entries of the metadata, each."""
MAX_DIMENSIONS = 64

_LENGTH_BYTES = 8
_MAX_COUNT = 2**64 - 1
_METADATA_NAME = "__metadata__"

_WIDTHS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
WIDTHS: Mapping[str, int] = MappingProxyType(_WIDTHS)
"""Bits of one element, by the name of the type."""

_SPACE = r"[ \t\n\r]*+"
_STRING = r'"([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)"'
_COUNT = r"(?:0|[1-9][0-9]{0,19})"
_MEMBERS = (
    r'"dtype"~:~"(?P<dtype>[A-Z0-9_]++)"',
    rf'"shape"~:~\[~(?P<shape>(?:{_COUNT}~(?:,~{_COUNT}~)*+)?+)\]',
    rf'"data_offsets"~:~\[~(?P<start>{_COUNT})~,~(?P<end>{_COUNT})~\]',
)


def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source.replace("~", _SPACE))


_OPEN = _pattern(r"\{~(\}~)?")
_PAIR = _pattern(rf"{_STRING}~:~{_STRING}~([,}}])~")
_ENTRIES = [
    _pattern(rf"{_STRING}~:~\{{~" + "~,~".join(each) + r"~\}~(?P<close>[,}])~")
    for each in permutations(_MEMBERS)
]
_METADATA = _pattern(r'"__metadata__"~:~')
_NEXT = _pattern(r"([,}])~")


class FormatError(ValueError):
    """The bytes are not a safetensors header, or one that describes another file."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor; `start` and `end` are bytes from the start of the data section."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """All tensors in the order of their data, and where in the file that data begins."""

    tensors: tuple[Tensor, ...]
    metadata: dict[str, str]
    data_start: int


def header_length(first8: bytes, file_size: int) -> int:
    """Bytes of the JSON that follows the first eight bytes. Raises FormatError."""
    if len(first8) < _LENGTH_BYTES or file_size < _LENGTH_BYTES:
        raise FormatError("the file is too short to be safetensors")
    length = int.from_bytes(first8[:_LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES - _LENGTH_BYTES:
        raise FormatError(f"a safetensors header has at most {MAX_HEADER_BYTES} bytes")
    if length > file_size - _LENGTH_BYTES:
        raise FormatError("the safetensors header is longer than the file")
    return length


def parse_header(header: bytes, file_size: int) -> Header:
    """The header in the first eight bytes and their JSON. Raises FormatError.

    The tensors tile the rest of a file of `file_size` bytes: no hole, no overlap, nothing after.
    """
    data_start = _LENGTH_BYTES + header_length(header, file_size)
    if len(header) != data_start:
        raise FormatError("the safetensors header is not as long as it says")
    try:
        text = header[_LENGTH_BYTES:].decode()
    except UnicodeDecodeError:
        raise FormatError("the safetensors header is not UTF-8 text") from None
    metadata: dict[str, str] = {}
    tensors = tuple(sorted(_tensors(text, metadata), key=attrgetter("start", "end")))
    _check_tiling(tensors, file_size - data_start)
    return Header(tensors, metadata, data_start)


def _tensors(text: str, metadata: dict[str, str]) -> Iterator[Tensor]:
    """The entries in the order of the text; `metadata` is filled on the way."""
    at, closed = _opened(text, 0)
    names: set[str] = set()
    while not closed:
        if entry := _entry(text, at):
            name, at, closed = _text(entry[1]), entry.end(), entry["close"] == "}"
            yield _tensor(name, entry)
        else:
            name = _METADATA_NAME
            at, closed = _read_metadata(text, at, metadata)
        if name in names:
            raise FormatError("a name occurs twice in the safetensors header")
        names.add(name)
        if len(names) > MAX_ENTRIES:
            raise FormatError(f"a safetensors header has at most {MAX_ENTRIES} entries")
    if at != len(text):
        raise FormatError("something follows the safetensors header")


def _opened(text: str, at: int) -> tuple[int, bool]:
    """Where the first member of an object is, and whether there is none."""
    if (match := _OPEN.match(text, at)) is None:
        raise FormatError("the safetensors header is not an object")
    return match.end(), match[1] is not None


def _read_metadata(text: str, at: int, metadata: dict[str, str]) -> tuple[int, bool]:
    """Where the member after the metadata is, and whether there is none."""
    if (name := _METADATA.match(text, at)) is None:
        raise FormatError("a tensor needs a name and exactly `dtype`, `shape` and `data_offsets`")
    at, closed = _opened(text, name.end())
    while not closed:
        if (pair := _PAIR.match(text, at)) is None:
            raise FormatError("the metadata of the safetensors header must map text to text")
        key = _text(pair[1])
        if key in metadata or len(metadata) == MAX_ENTRIES:
            raise FormatError("the metadata repeats a name or has too many")
        metadata[key] = _text(pair[2])
        at, closed = pair.end(), pair[3] == "}"
    if (match := _NEXT.match(text, at)) is None:
        raise FormatError("the safetensors header is not JSON")
    return match.end(), match[1] == "}"


def _entry(text: str, at: int) -> re.Match[str] | None:
    for pattern in _ENTRIES:  # the first one is the order in which the library writes
        if match := pattern.match(text, at):
            return match
    return None


def _tensor(name: str, entry: re.Match[str]) -> Tensor:
    if name == _METADATA_NAME:
        raise FormatError("the metadata of the safetensors header must map text to text")
    dtype, shape, first, last = entry.group("dtype", "shape", "start", "end")
    width = _WIDTHS.get(dtype)
    if width is None:
        raise FormatError(f"safetensors has no element type `{dtype[:20]}`")
    sizes = tuple(map(int, shape.split(","))) if shape else ()
    if len(sizes) > MAX_DIMENSIONS:
        raise FormatError(f"a tensor has at most {MAX_DIMENSIONS} dimensions")
    start, end = int(first), int(last)
    bits = prod(sizes) * width
    if bits != 8 * (end - start):
        raise FormatError("the bytes of a tensor are not those of its shape and type")
    if not bits:
        _check_sizes(sizes)
    return Tensor(name, dtype, sizes, start, end)


def _check_sizes(sizes: tuple[int, ...]) -> None:
    """The library multiplies 64-bit numbers in this order: it refuses what a zero would hide."""
    elements = 1
    for size in sizes:
        elements *= size
        if size > _MAX_COUNT or elements > _MAX_COUNT:
            raise FormatError("the size of a tensor is not a 64-bit number")


def _check_tiling(tensors: tuple[Tensor, ...], data_bytes: int) -> None:
    at = 0
    for tensor in tensors:
        if tensor.start != at:
            raise FormatError("the tensors overlap or leave a hole")
        at = tensor.end
    if at != data_bytes:
        raise FormatError("the tensors do not cover the file exactly")


def _text(raw: str) -> str:
    """A JSON string's content. NUL and half characters have no place in a name."""
    if "\\" in raw:
        try:
            raw = json.loads(f'"{raw}"')
            raw.encode()
        except ValueError:
            raise FormatError("a text in the safetensors header is not text") from None
    if "\0" in raw:
        raise FormatError("a text in the safetensors header holds a NUL character")
    return raw
