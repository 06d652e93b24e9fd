"""Headers of safetensors files: read as the library reads them, and never when it refuses."""

import contextlib
import json
import struct
from collections.abc import Callable
from typing import Any

import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from hansard.formats.safetensors import WIDTHS, FormatError, header_length, parse_header

load: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize

CHANGES = st.lists(
    st.tuples(st.integers(0, 1 << 20), st.booleans(), st.binary(max_size=9)), max_size=6
)
_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@st.composite
def headers(draw: st.DrawFn) -> tuple[bytes, int]:
    """A safetensors header, and the bytes of its tensors."""
    text: dict[str, Any] = {}
    if draw(st.booleans()):
        text["__metadata__"] = draw(st.dictionaries(_NAMES, _NAMES, max_size=3))
    at = 0
    for name in draw(st.lists(_NAMES, unique=True, max_size=5)):
        dtype = draw(st.sampled_from(sorted(WIDTHS)))
        shape = [*draw(st.lists(st.integers(0, 3), max_size=3)), 8]
        size = WIDTHS[dtype]
        for each in shape[:-1]:
            size *= each
        text[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    items = draw(st.permutations(list(text.items())))
    raw = json.dumps(dict(items), ensure_ascii=draw(st.booleans())).encode()
    return struct.pack("<Q", len(raw)) + raw, at


@settings(max_examples=200)
@given(headers())
def test_headers_that_the_library_reads_are_read_alike(header: tuple[bytes, int]) -> None:
    raw, size = header
    ours = {tensor.name: tensor for tensor in parse_header(raw, len(raw) + size).tensors}
    theirs = dict(load(raw + bytes(size)))
    assert {name: (each.dtype, list(each.shape)) for name, each in ours.items()} == {
        name: (each["dtype"], each["shape"]) for name, each in theirs.items()
    }


@settings(max_examples=600)
@given(headers(), CHANGES, st.integers(-2, 2), st.booleans())
def test_a_header_that_the_library_refuses_is_never_accepted(
    header: tuple[bytes, int], changes: list[tuple[int, bool, bytes]], more: int, fix: bool
) -> None:
    raw, size = header
    changed = bytearray(raw)
    for at, cut, data in changes:
        at %= len(changed) + 1
        changed[at : at + (len(data) if cut else 1)] = b"" if cut else data[:2]
    if fix and len(changed) >= 8:
        changed[:8] = struct.pack("<Q", len(changed) - 8)
    content = bytes(changed) + bytes(max(0, size + more))
    with contextlib.suppress(FormatError):
        length = header_length(content[:8], len(content))
        found = parse_header(content[: 8 + length], len(content))
        assert len(load(content)) == len(found.tensors)


_SYNTAX = st.sampled_from(
    [
        *(
            '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            '"',
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
        ),
        *(
            "0",
            "-0",
            "1",
            "01",
            "1.0",
            "1e0",
            "null",
            "true",
            " ",
            "\n",
            "\\u0061",
            "\\ud800",
            "\\",
        ),
        *(
            '"a"',
            '"dtype"',
            '"U8"',
            '"shape"',
            "[0]",
            "[]",
            '"data_offsets"',
            "[0,0]",
            "__metadata__",
        ),
        *(
            '"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}',
            '"__metadata__":{"k":"v"}',
            "\x7f",
        ),
    ]
)


@settings(max_examples=500)
@given(st.lists(_SYNTAX, max_size=12).map("".join), st.integers(0, 2))
def test_a_text_that_the_library_refuses_is_never_accepted(text: str, size: int) -> None:
    for each in (text, "{" + text + "}"):
        content = struct.pack("<Q", len(each.encode())) + each.encode() + bytes(size)
        with contextlib.suppress(FormatError):
            found = parse_header(content[: len(content) - size], len(content))
            assert len(load(content)) == len(found.tensors)
