"""Laws of what tells files apart: over any bytes, any text and damaged files."""

import json
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.artifacts.inspection import FORMATS, first_look, inspect
from tests.unit.inspection_samples import (
    Recorded,
    accepted,
    evil,
    onnx_model,
    torch_file,
    zipped,
)

_BEGINNINGS = sorted({content[:12] for _, content in accepted().values()})
_VALID = [content for _, content in accepted().values() if len(content) <= 50_000]
_OTHERS = [torch_file(), evil(0), evil(2), evil(4), onnx_model("other"), zipped({"a": evil(4)})]


def check(content: bytes) -> None:
    """A verdict is one, and a first look agrees with it."""
    verdict = inspect(Recorded(content))
    if verdict.refusal is None:
        assert verdict.format in FORMATS
    else:
        assert verdict.refusal.isprintable()
    expected = verdict.format if verdict.refusal is None else None
    assert first_look(content[: 64 << 10], len(content)) in (expected, None)


@settings(max_examples=400)
@given(st.sampled_from(_BEGINNINGS), st.binary(max_size=3000), st.booleans())
def test_any_bytes_get_a_verdict(beginning: bytes, rest: bytes, alone: bool) -> None:
    check(rest if alone else beginning + rest)


_CHANGES = st.lists(
    st.tuples(
        st.integers(0, 1 << 20), st.sampled_from(["set", "insert", "cut"]), st.binary(max_size=9)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(_VALID + _OTHERS), _CHANGES)
def test_damaged_files_get_a_verdict(content: bytes, changes: list[tuple[int, str, bytes]]) -> None:
    changed = bytearray(content)
    for at, kind, data in changes:
        at %= len(changed) + 1
        if kind == "set":
            changed[at : at + len(data)] = data
        elif kind == "insert":
            changed[at:at] = data
        else:
            del changed[at : at + len(data) ** 3]
    check(bytes(changed))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_VALID), st.sampled_from(_VALID + _OTHERS), st.integers(0, 1 << 20))
def test_files_put_together_get_a_verdict(first: bytes, second: bytes, at: int) -> None:
    check(first + second)
    at %= len(first) + 1
    check(first[:at] + second + first[at:])


@settings(max_examples=500)
@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n\r"), max_size=200
    )
)
def test_text_is_never_taken_for_anything_else(text: str) -> None:
    verdict = inspect(Recorded(text.encode()))
    assert verdict.format in ("text", "json") or text.startswith("%PDF-")
    assert verdict.refusal is None or text.startswith("%PDF-")


_WORDS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
_LINES = st.lists(_WORDS | st.lists(_WORDS, max_size=4).map(" ".join), min_size=1, max_size=12)


@settings(max_examples=400)
@given(_LINES, st.sampled_from(["\n", "\r\n", ",", "\t", "."]))
def test_lists_of_words_are_never_taken_for_pickles(lines: list[str], end: str) -> None:
    content = (end.join(lines) + end).encode()
    assert inspect(Recorded(content)).refusal is None


@given(st.binary(min_size=1, max_size=64))
def test_what_json_and_hexadecimal_say_is_never_taken_for_a_pickle(data: bytes) -> None:
    for text in (json.dumps(list(data)), data.hex(), repr(data), json.dumps({"a": data.hex()})):
        assert inspect(Recorded(text.encode())).refusal is None
