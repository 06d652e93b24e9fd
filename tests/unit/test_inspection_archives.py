"""Archives: their members are held to the rules, and every reader must see the same members."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import skops.io

from infra.artifacts.inspection import inspect
from tests.unit.inspection_samples import (
    Recorded,
    accepted,
    evil,
    image,
    objects_file,
    onnx_model,
    refusal,
    tar_of,
    written,
    zipped,
)


def gzipped(content: bytes) -> bytes:
    """Without the time, which would give each test process other names of tests."""
    return gzip.compress(content, mtime=0)


def nested(depth: int) -> bytes:
    content = b"text"
    for number in range(depth):
        content = zipped({f"{number}.zip": content}) if number % 2 else gzipped(content)
    return content


def test_archives_may_be_nested_three_deep() -> None:
    assert inspect(Recorded(nested(3))).refusal is None
    assert "nested deeper than 3" in refusal(nested(4))


@pytest.mark.parametrize("pack", [gzipped, lambda content: zipped({"a.bin": content})])
@pytest.mark.parametrize("name", sorted(accepted()))
def test_whatever_is_accepted_is_accepted_in_an_archive(
    pack: Callable[[bytes], bytes], name: str
) -> None:
    assert inspect(Recorded(pack(accepted()[name][1]))).refusal is None


@pytest.mark.parametrize("pack", [gzipped, lambda content: zipped({"a.bin": content})])
@pytest.mark.parametrize(
    "content",
    [
        evil(0),
        evil(4),
        objects_file(),
        onnx_model("other"),
        tar_of("a", b"b"),
        b"\0\1",
        b"\x7fELF\0",
    ],
)
def test_whatever_is_refused_is_refused_in_an_archive(
    pack: Callable[[bytes], bytes], content: bytes
) -> None:
    assert inspect(Recorded(pack(content))).format == inspect(Recorded(content)).format
    assert refusal(content) in refusal(pack(content))


def test_the_member_that_is_refused_is_named() -> None:
    content = zipped({"fine.txt": b"text", "d/\x1b[2Jé.bin": b"\0\1"})
    assert refusal(content).startswith("in `d/\\x1b[2J\\xe9.bin`: format not accepted")


def test_a_skops_model_may_hold_bytes_but_no_pickles() -> None:
    assert inspect(Recorded(skops.io.dumps({"a": bytes(9)}))).format == "skops"
    assert inspect(Recorded(skops.io.dumps({"a": bytearray(b"\xff\0")}))).format == "skops"
    assert inspect(Recorded(skops.io.dumps({"a": evil(4)}))).format == "pickle"


@pytest.mark.parametrize(
    "schema",
    [
        b"not JSON",
        b"[1]",
        b'{"protocol": 2}',
        b'{"_skops_version": "1", "content": {"__loader__": "BytesNode", "file": "b.bin"}}',
        b'{"_skops_version": "1", "content": {"__loader__": "OtherNode", "file": "a.bin"}}',
        b'{"_skops_version": "1", "file": "a.bin"}',
        b"[" * 100_000,
    ],
)
def test_bytes_that_no_skops_model_tells_of_are_refused(schema: bytes) -> None:
    assert "in `a.bin`" in refusal(zipped({"a.bin": b"\0\1", "schema.json": schema}))


def patched(content: bytes, mark: bytes, at: int, value: bytes) -> bytes:
    start = content.rindex(mark) + at
    return content[:start] + value + content[start + len(value) :]


_LOCAL, _ENTRY, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_SOUND = zipped({"a.txt": b"text" * 99, "b.txt": b"more" * 99})


@pytest.mark.parametrize(
    "content",
    [
        b"before" + _SOUND,
        _SOUND + b"after",
        _SOUND[:-1],
        _SOUND[: len(_SOUND) // 2],
        _SOUND[:4],
        patched(_SOUND, _END, 4, b"\1"),  # the number of the disk
        patched(_SOUND, _END, 8, b"\1"),  # the members here
        patched(_SOUND, _END, 10, b"\3\0"),
        patched(_SOUND, _END, 8, b"\1\0\1\0"),  # fewer members than there are
        patched(_SOUND, _END, 12, b"\1"),  # the bytes of the directory
        patched(_SOUND, _END, 16, b"\1"),  # where it starts
        patched(_SOUND, _ENTRY, 42, b"\0\0\0\0"),  # two members in one place
        patched(_SOUND, _ENTRY, 42, b"\xff\xff\xff\x7f"),
        patched(_SOUND, _ENTRY, 42, b"\xff\xff\xff\xff"),
        patched(_SOUND, _ENTRY, 20, b"\1"),  # the bytes stored
        patched(_SOUND, _ENTRY, 24, b"\1"),  # the bytes unpacked
        patched(_SOUND, _ENTRY, 28, b"\xff\xff"),  # the length of the name
        patched(_SOUND, _ENTRY, 46, b"c"),  # the name
        patched(_SOUND, _LOCAL, 30, b"c"),
        patched(_SOUND, _LOCAL, 26, b"\4"),
        patched(_SOUND, _LOCAL, 28, b"\1"),
        patched(_SOUND, _LOCAL, 8, b"\0"),  # the method
        patched(_SOUND, _LOCAL, 18, b"\1"),
        patched(_SOUND, _LOCAL, 0, b"PK\3\5"),
        patched(_SOUND, _LOCAL, 35, b"\xff\xff\xff\xff"),  # the data
        patched(patched(_SOUND, _ENTRY, 10, b"\0"), _LOCAL, 8, b"\0"),
    ],
    ids=range(26),
)
def test_an_archive_that_readers_may_read_differently_is_refused(content: bytes) -> None:
    assert refusal(content)


def test_members_that_the_directory_leaves_out_are_found() -> None:
    visible, hidden = zipped({"a.txt": b"text"}), zipped({"b.txt": evil(2)})
    start = visible.index(_ENTRY)
    entry = hidden[: hidden.index(_ENTRY)]
    directory = struct.pack("<I", start + len(entry))
    content = patched(visible[:start] + entry + visible[start:], _END, 16, directory)
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["a.txt"]
    assert "between" in refusal(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (patched(patched(_SOUND, _ENTRY, 8, b"\1"), _LOCAL, 6, b"\1"), "encrypted"),
        (zipped({"a.txt": b"text"}, zipfile.ZIP_LZMA), "rare compression"),
        (zipped({"a.txt": b"text"}, zipfile.ZIP_BZIP2), "rare compression"),
        (patched(_SOUND, _ENTRY, 38, struct.pack("<I", 0o120777 << 16)), "link"),
        (zipped({"/etc/passwd": b"text"}), "path outside"),
        (zipped({"a/../../b": b"text"}), "path outside"),
        (zipped({"..\\b": b"text"}), "path outside"),
        (zipped({"c:/b": b"text"}), "path outside"),
    ],
)
def test_members_that_are_no_plain_files_are_refused(content: bytes, words: str) -> None:
    assert words in refusal(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused() -> None:
    def write(buffer: io.BytesIO) -> None:
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.txt", b"text")
            archive.writestr("a.txt", b"other")

    assert "two members of one name" in refusal(written(write))


def test_archives_with_wide_numbers_and_descriptions_are_accepted() -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    streamed = Unseekable()
    with zipfile.ZipFile(streamed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"text")
        with archive.open("b.txt", "w", force_zip64=True) as member:
            member.write(b"more")
    assert inspect(Recorded(streamed.getvalue())).refusal is None
    assert inspect(Recorded(written(lambda buffer: np.savez(buffer, np.ones(3))))).format == "npz"


def test_an_archive_with_a_wide_directory_is_accepted() -> None:
    entry_at = _SOUND.index(_ENTRY)
    end_at = _SOUND.rindex(_END)
    size = end_at - entry_at
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, size, entry_at)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end_at, 1)
    full = struct.pack("<4sHHHHIIH", _END, *[0xFFFF] * 4, *[0xFFFFFFFF] * 2, 0)
    content = _SOUND[:end_at] + wide + locator + full
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["a.txt", "b.txt"]
    assert inspect(Recorded(content)).refusal is None
    for broken in (
        patched(content, b"PK\x06\x07", 8, b"\1"),
        patched(content, b"PK\x06\x06", 4, b"\1"),
    ):
        assert refusal(broken)


def test_an_archive_with_a_comment_is_accepted_unless_it_hides_another_end() -> None:
    def with_comment(comment: bytes) -> bytes:
        return _SOUND[:-2] + struct.pack("<H", len(comment)) + comment

    assert inspect(Recorded(with_comment(b"made by hand"))).refusal is None
    assert refusal(with_comment(zipped({"b.txt": evil(2)})))


def test_several_members_of_gzip_are_one_file() -> None:
    both = gzipped(b"a,b\n") + gzipped(b"1,2\n")
    assert inspect(Recorded(both)).refusal is None
    assert inspect(Recorded(gzipped(b"cos\nsys") + gzipped(evil(0)[1:]))).refusal is None
    halves = evil(0)[:10], evil(0)[10:]
    assert inspect(Recorded(b"".join(map(gzipped, halves)))).format == "pickle"


@pytest.mark.parametrize(
    "content",
    [
        gzipped(b"text" * 99)[:-1],
        gzipped(b"text" * 99)[:20],
        gzipped(b"text" * 99)[:-8] + bytes(8),
        gzipped(b"text") + b"after",
        gzipped(b"text") + evil(2),
        gzipped(b"text") + zipped({"a": evil(2)}),
        b"\x1f\x8b\x08",
        b"\x1f\x8b" + bytes(100),
        zlib.compress(b"text"),
    ],
)
def test_damaged_or_continued_gzip_is_refused(content: bytes) -> None:
    assert refusal(content)


def test_an_image_with_an_archive_behind_it_is_refused_in_an_archive_too() -> None:
    content = image("JPEG") + zipped({"a.txt": evil(2)})
    assert "hidden" in refusal(zipped({"a.jpg": content}, zipfile.ZIP_STORED))
