"""Pickles are refused whatever they are called; text is not, whatever it says."""

import base64
import datetime
import functools
import os
import pickle
import re
import struct
import sysconfig
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest
import torch

from infra.artifacts.inspection import first_look, inspect
from tests.unit.inspection_samples import (
    Recorded,
    a_model,
    evil,
    image,
    joblib_file,
    objects_file,
    torch_file,
    zipped,
)
from tests.unit.yardstick import SECOND, cost

_PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def is_pickle(content: bytes) -> bool:
    verdict = inspect(Recorded(content))
    assert (verdict.format == "pickle") <= (verdict.refusal is not None)
    return verdict.format == "pickle"


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        os.system,
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        OrderedDict(a=1),
        functools.partial(print, 1),
        {"a": [1, 2.5, "x"]},
        ["text"],
        "text",
        {1, 2},
        torch.float32,
    ],
    ids=str,
)
def test_every_protocol_is_refused(protocol: int, value: Any) -> None:
    assert is_pickle(pickle.dumps(value, protocol))


@pytest.mark.parametrize("protocol", _PROTOCOLS)
def test_what_follows_a_pickle_does_not_matter(protocol: int) -> None:
    for value in (evil(protocol), pickle.dumps(a_model(), protocol)):
        for following in (b"\n", b"garbage", b"\0\xff", value, image("PNG"), b"x" * 200_000):
            assert is_pickle(value + following)


@pytest.mark.parametrize("protocol", _PROTOCOLS)
def test_a_pickle_without_an_end_is_refused(protocol: int) -> None:
    assert is_pickle(evil(protocol)[:-1])
    assert is_pickle(evil(protocol)[:-1] + b"!broken")


@pytest.mark.parametrize(
    "content",
    [
        torch_file(),
        torch_file(legacy=True),
        joblib_file(),
        joblib_file(("gzip", 3)),
        cloudpickle.dumps(lambda x: x + 1),
        objects_file(),
        objects_file(packed=True),
        zipped({"renamed.safetensors": evil(2)}),
        zipped({"a.zip": zipped({"b.zip": zipped({"c.txt": evil(0)})})}),
    ],
    ids=range(9),
)
def test_files_of_libraries_that_pickle_are_refused(content: bytes) -> None:
    assert is_pickle(content)


@pytest.mark.parametrize("compress", [("zlib", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_packed_files_of_joblib_are_refused(compress: tuple[str, int]) -> None:
    assert inspect(Recorded(joblib_file(compress))).refusal


_EVASIONS = {
    "call": b"cposix\nsystem\n(S'id'\ntR.",
    "call without an end": b"cposix\nsystem\n(S'id'\ntRx",
    "instance": b"(S'id'\niposix\nsystem\n.",
    "object": b"(cposix\nsystem\nS'id'\no.",
    "through the memo": b"cposix\nsystem\np0\n0(S'id'\ntp1\n0g0\ng1\nR.",
    "text first": b"S'harmless'\n0cposix\nsystem\n(S'id'\ntR.",
    "numbers first": b"I1\n0L2L\n0F.5\n0cposix\nsystem\n(S'id'\ntR.",
    "a long text first": b"V" + b"x" * 300_000 + b"\n0cposix\nsystem\n(Vid\ntR.",
    "many values first": b"N0" * 20_000 + b"cposix\nsystem\n(S'id'\ntR.",
    "values dropped by their mark": b"(NNN1cposix\nsystem\n(S'id'\ntR.",
    "a list as arguments": b"cposix\nsystem\n](S'id'\neR.",
    "a name with dots": b"cposix\n__dict__.get\n(S'id'\ntR.",
    "a module not in ASCII": "cдж\nъж\n(S'id'\ntR.".encode(),
    "a module with a dash": b"cmy-module\nrun\n(S'id'\ntR.",
    "state": b"cmodule\nthing\n}S'a'\nI1\nsb.",
    "item of what is imported": b"cmodule\nthing\nS'a'\nS'b'\ns.",
    "items of what is imported": b"cmodule\nthing\n(S'a'\nS'b'\nu.",
    "append to what is imported": b"cmodule\nthing\nS'a'\na.",
    "opcodes within characters": b"cmodule\nKind\n)q\xc2\x81.",
    "names from the stack": b"\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "names from the memo": b"\x8c\x05posix\x94\x8c\x06system\x940\x68\x00\x68\x01\x93.",
    "new object": b"cmodule\nKind\n)\x81.",
    "new object with keywords": b"cmodule\nKind\n)}\x92.",
    "extension": b"\x82\x01.",
    "later protocol": b"\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R.",
    "no header": evil(4)[2:],
    "two headers": b"\x80\x04" + evil(4),
    "a set first": b"\x8f0" + evil(4),
    "instance without a mark": b"K\x01iposix\nsystem\n.",
    "name at the end of the file": b"K\x01cposix\nsystem\0",
    "zero in a number": b"I\x005\n0cposix\nsystem\n.",
    "zero in an index": b"Np0\x00x\n0cposix\nsystem\n.",
    "a frame cut within an argument": b"\x80\x04\x95\2" + bytes(7) + b"M\1\2\x31cposix\nsystem\n.",
    "a frame cut within a line": b"\x80\x04\x95\4" + bytes(7) + b"cbad\xffcposix\nsystem\n.",
    "a frame within a frame": b"\x95\x20" + bytes(7) + b"\x95\x08" + bytes(7) + b"N0N0N0N0N0",
}


@pytest.mark.parametrize("name", sorted(_EVASIONS))
def test_evasions_are_refused(name: str) -> None:
    assert is_pickle(_EVASIONS[name])


def test_a_pickle_within_the_head_of_another_format_is_refused() -> None:
    payload = b"0cposix\nsystem\n(S'id'\ntR."
    gif = b"GIF89a" + b"\x0a\0\x0a" + payload
    assert is_pickle(gif + bytes(100))


def test_safetensors_that_are_also_a_pickle_are_refused() -> None:
    """Two numbers and a float swallow the length; the names of tensors are the opcodes."""
    module, name = b"multiprocessing.popen_spawn_posix", b"a_name_that_is_more_than_32_characters"
    opcodes = b"U%c%sqK\xc2\x8c" % (len(module), module)
    assert opcodes[1] >= 0x20
    text = b'{"x' + b"U%c%s" % (len(module), module) + b"U%c%s" % (len(name), name)
    text += b"q\xc2\x93" + b'":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
    length = int.from_bytes(b"NNG", "little")
    content = struct.pack("<Q", length) + text.ljust(length)
    assert content[3:8] == bytes(5)
    assert is_pickle(content)


def test_a_pickle_far_into_a_file_is_found() -> None:
    skipped = b"B" + struct.pack("<I", 50_000_000) + bytes(50_000_000) + b"0"
    assert is_pickle(skipped + evil(2)[2:])


_TEXTS = [
    "0.5,1\n0.25,2\n",
    "cat\ndog\nor mouse\n",
    "chemical\nsymbol\nNb\n",
    "code\nname\nNRW\n",
    "(cat\ndog\nor mouse)\n",
    "(if\nx\ny)\n",
    "(in\nmemoriam\n",
    "(Nina\nSimone\nsang)\n",
    "cache\nbuild\n.venv\n",
    "class Point:\n    pass\n",
    "import os\nimport sys\n",
    "category,value\nred,1\n",
    "c\n.\n",
    "N.B. this is a note.\n",
    "N.",
    "I5\n.",
    "K..",
    "].",
    "Vienna\n.",
    "I think, therefore I am.\n",
    "F1,precision,recall\n0.9,0.8,0.7\n",
    "F1\n0.91\n",
    "L2 regularisation\n",
    "L1\n.\n",
    "Paris\nLondon\n",
    "S'il vous plaît\n",
    "'quoted'\n",
    "Time,value\n1,2\n",
    "T\n",
    "X,Y,Z\n1,2,3\n",
    "Batch,loss\n1,0.5\n",
    "Unnamed: 0,a\n0,1\n",
    "G,A,T,T,A,C,A\n",
    "NNNNNNNNNNNNNNNNNNNNACGTACGT\n",
    ">seq1\nACGT\n",
    "---\nname: a\nitems:\n  - 1\n",
    "# Title\n\nSome *text*.\n",
    "(define (square x)\n  (* x x))\n",
    "(a\n",
    "))))))))\n",
    "]]]]]]]]",
    "}}}}\n",
    "%!PS-Adobe-3.0\n",
    "\\documentclass{article}\n\\begin{document}\n\\end{document}\n",
    "#include <stdio.h>\nint main(void) { return 0; }\n",
    "package main\n\nfunc main() {}\n",
    "fn main() {}\n",
    "SELECT * FROM a;\n",
    "<?xml version='1.0'?><a/>\n",
    "<!DOCTYPE html><html></html>\n",
    "body { color: red }\n",
    "P3\n1 1\n255\n0 0 0\n",
    "node_modules/\n.venv/\n",
    "a\tb\n1\t2\n",
    "\ufeffa,b\r\n1,2\r\n",
    "日本語のテキスト\n",
    "Привет, мир\n",
    "KÁ",
    "jjjjjjjj",
    "gggg\npppp\n",
    "g0\np0\n",
    "b\no\nR\n",
    "\n",
    " ",
    "\t\r\n",
]


@pytest.mark.parametrize("text", _TEXTS)
def test_ordinary_text_is_text(text: str) -> None:
    content = text.encode()
    assert inspect(Recorded(content)) == inspect(Recorded(b"x"))
    assert first_look(content, len(content)) == "text"


def test_base64_of_anything_is_text() -> None:
    for number in range(300):
        content = base64.b64encode(bytes([number % 256, number // 2]) * 50)
        assert first_look(content, len(content)) == "text"


def test_a_long_sequence_of_one_letter_is_text() -> None:
    for letter in "NPGTUXBS":
        assert inspect(Recorded(letter.encode() * 10_000 + b"ACGT\n")).refusal is None, letter


def test_the_source_of_the_standard_library_is_text() -> None:
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    refused = [
        file.name
        for file in files
        if inspect(Recorded(file.read_bytes())).format not in ("text", "json")
        and re.match(rb"[\x00-\x7f]*\Z", file.read_bytes())
    ]
    assert len(files) > 100
    assert refused == []


def test_a_number_alone_is_text_even_if_a_pickle_of_it_looks_so() -> None:
    assert inspect(Recorded(pickle.dumps(5, 0))).format == "text"


def test_a_stream_of_opcodes_without_end_is_refused_in_time() -> None:
    for content in (b"N0" * 5_000_000, b"I1\n0" * 2_000_000, b"V" * 20_000_000, b"N" * 20_000_000):
        reader = Recorded(content)
        assert inspect(reader).refusal
        assert cost(functools.partial(inspect, reader)) < SECOND
