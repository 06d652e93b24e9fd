"""Whatever Python's own unpicklers would import or call is refused, over any stream of opcodes."""

import io
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.artifacts.inspection import pickles
from infra.artifacts.inspection.source import Budget, Memory, Refused, Source
from tests.unit.inspection_samples import evil


class _Imported(Exception):
    """An unpickler was about to import something."""


class _Called(Exception):
    """An unpickler called what it had imported, with more than numbers."""


class _Live:
    """What the imports of a followed pickle give: tells when it is used."""

    def __new__(cls, *arguments: Any, **_: Any) -> "_Live":
        _use(arguments)
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing: `__new__` has seen the arguments."""

    def __call__(self, *arguments: Any, **_: Any) -> "_Live":
        return _Live(*arguments)

    def __setstate__(self, state: Any) -> None:
        _use([state])

    def __setitem__(self, key: Any, value: Any) -> None:
        _use([key, value])

    def append(self, value: Any) -> None:
        _use([value])

    def extend(self, values: Any) -> None:
        _use(values)

    add, update = append, extend


def _use(arguments: Any) -> None:
    if any(not isinstance(each, int | float | None) for each in arguments):
        raise _Called


def _unpicklers(found: Callable[[], type[_Live]]) -> list[Any]:
    """Both unpicklers of Python, with imports that are followed."""

    class Compiled(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return _found(module, name, found)

    class Interpreted(pickle._Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return _found(module, name, found)

    return [Compiled, Interpreted]


def _found(module: str, name: str, found: Callable[[], type[_Live]]) -> type[_Live]:
    if re.search(r"[\s\x00-\x1f\x7f]|^$", module) or re.search(r"[\s\x00-\x1f\x7f]|^$", name):
        raise ModuleNotFoundError  # nothing can be called so
    return found()


def _stop() -> NoReturn:
    raise _Imported


_IMPORTING = _unpicklers(_stop)
_CALLING = _unpicklers(lambda: _Live)


def gets_as_far(unpicklers: list[Any], content: bytes) -> bool:
    for unpickler in unpicklers:
        try:
            unpickler(io.BytesIO(content)).load()
        except (_Imported, _Called):
            return True
        except Exception:  # noqa: BLE001 - whatever else stops it, it got no further
            continue
    return False


def is_refused(content: bytes, head_bytes: int, *, text: bool) -> bool:
    source = Source(Memory(content), Budget(), head_bytes=head_bytes)
    try:
        pickles.check(source, text=text)
    except Refused:
        return True
    return False


_ARGUMENTS: dict[str, tuple[bytes, ...]] = {
    **dict.fromkeys(("GLOBAL", "INST"), (b"module\nname\n", b"a.b\nc.d\n")),
    **dict.fromkeys(("INT", "LONG"), (b"1\n", b"01\n", b"-5\n", b"0x1f\n", b" 3\n", b"\0\n")),
    "FLOAT": (b"1.5\n", b"nan\n", b"-inf\n", b".5\n"),
    "STRING": (b"'a'\n", b'"b"\n', b"'' \n"),
    "UNICODE": (b"os\n", b"\n"),
    **dict.fromkeys(("GET", "PUT"), (b"0\n", b"1\n", b" 1\n", b"0\0x\n")),
    **dict.fromkeys(("BINGET", "BINPUT"), (b"\0", b"\1")),
    **dict.fromkeys(("LONG_BINGET", "LONG_BINPUT"), (b"\0\0\0\0", b"\1\0\0\0")),
    "PROTO": (b"\0", b"\4"),
}
_PREFIXES = {-2: 1, -3: 4, -4: 4, -5: 8}
_LEFT_OUT = ("PERSID", "FRAME", "NEXT_BUFFER", "READONLY_BUFFER")


def _written(opcode: pickletools.OpcodeInfo) -> list[bytes]:
    """The opcode with arguments that it takes."""
    code = opcode.code.encode("latin-1")
    if opcode.arg is None:
        return [code]
    length = opcode.arg.n
    if length in _PREFIXES:
        sizes = [(size, size.to_bytes(_PREFIXES[length], "little")) for size in (0, 2)]
        return [code + prefix + b"os"[:size] for size, prefix in sizes]
    return [code + each for each in _ARGUMENTS.get(opcode.name, (bytes(max(0, length)),))]


_OPCODES = [
    st.sampled_from(_written(opcode))
    for opcode in pickletools.opcodes
    if opcode.name not in _LEFT_OUT
]
_STREAMS = st.lists(st.one_of(_OPCODES), min_size=2, max_size=14).map(b"".join)


@settings(max_examples=1500, deadline=None)
@given(_STREAMS, st.sampled_from([b"", b".", b"x", b"\xff"]), st.sampled_from([1, 5, 4096]))
def test_a_stream_that_imports_or_calls_is_refused(
    stream: bytes, end: bytes, head_bytes: int
) -> None:
    content = stream + end
    if gets_as_far(_IMPORTING, content):
        assert is_refused(content, head_bytes, text=False)
    if gets_as_far(_CALLING, content):
        assert is_refused(content, head_bytes, text=True)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_followed_pickles_do_import_and_call(protocol: int) -> None:
    assert gets_as_far(_IMPORTING, evil(protocol))
    assert gets_as_far(_CALLING, evil(protocol))
