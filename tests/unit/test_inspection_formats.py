"""What a file is follows from its content, and a file that is not what it begins as is refused."""

import gzip
import struct

import numpy as np
import pyarrow as pa
import pytest

from infra.artifacts.inspection import FORMATS, first_look, inspect
from tests.unit.inspection_samples import (
    MP4,
    TABLE,
    Recorded,
    accepted,
    array_file,
    arrow_file,
    image,
    onnx_model,
    parquet_file,
    refusal,
    tar_of,
    zipped,
)

_BINARY = sorted(
    name for name, (format_, _) in accepted().items() if format_ not in ("text", "json", "zip")
)


@pytest.mark.parametrize("name", sorted(accepted()))
def test_files_of_their_own_writers_are_recognised(name: str) -> None:
    format_, content = accepted()[name]
    verdict = inspect(Recorded(content))
    assert (verdict.format, verdict.refusal) == (format_, None)
    assert format_ in FORMATS


def test_every_format_has_a_sample() -> None:
    assert {format_ for format_, _ in accepted().values()} == FORMATS


@pytest.mark.parametrize("name", sorted(accepted()))
def test_a_first_look_answers_as_an_inspection_does_or_not_at_all(name: str) -> None:
    format_, content = accepted()[name]
    look = first_look(content[: 64 << 10], len(content))
    assert look == (format_ if len(content) <= 64 << 10 else None)


def test_a_first_look_tells_nothing_of_a_file_that_is_refused() -> None:
    for content in (b"\0\1\2", tar_of("a", b"b"), onnx_model("../other")):
        assert first_look(content, len(content)) is None


@pytest.mark.parametrize("name", _BINARY)
def test_a_zip_archive_at_the_end_of_another_file_is_found(name: str) -> None:
    _, content = accepted()[name]
    assert refusal(content + zipped({"data.pkl": b"(lp0\n."}))


def test_a_zip_archive_in_the_tensors_of_a_file_is_found() -> None:
    for comment in (b"", b"c" * 65_535):
        archive = zipped({"data.pkl": b"(lp0\n."})[:-2] + struct.pack("<H", len(comment)) + comment
        header = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}'
        header %= (len(archive), len(archive))
        content = struct.pack("<Q", len(header)) + header + archive
        assert "zip archive is hidden" in refusal(content)


def test_the_mark_of_a_zip_archive_alone_is_no_archive() -> None:
    picture = image("JPEG")
    assert inspect(Recorded(picture + b"PK\x05\x06" + bytes(60))).refusal is None


def test_hidden_marks_without_end_are_refused() -> None:
    assert "zip archive is hidden" in refusal(image("JPEG") + b"PK\x05\x06" * 10_000)


@pytest.mark.parametrize("name", ["png", "webp", "bmp", "parquet", "arrow file", "npy", "onnx"])
def test_something_after_the_end_is_refused(name: str) -> None:
    assert refusal(accepted()[name][1] + b"more")


@pytest.mark.parametrize("name", ["safetensors", "parquet", "arrow file", "npy", "gguf", "png"])
def test_a_file_that_is_cut_off_is_refused(name: str) -> None:
    content = accepted()[name][1]
    for size in (len(content) - 1, len(content) // 2, 30):
        assert refusal(content[:size])


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "hdf5"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "7z"),
        (b"Rar!\x1a\x07\x01\0" + bytes(100), "rar"),
        (b"\xfd7zXZ\0" + bytes(100), "xz"),
        (b"BZh91AY&SY" + bytes(100), "bzip2"),
        (tar_of("a.txt", b"text"), "tar"),
        (b"\x7fELF" + bytes(100), "unknown"),
        (b"MZ" + bytes(100), "unknown"),
        (b"SQLite format 3\0" + bytes(100), "unknown"),
        ("UTF-16 text".encode("utf-16"), "unknown"),
        (b"caf\xe9 in Latin-1\n", "unknown"),
        (b"text with a \0 in it", "unknown"),
        (b"x" * 100_000 + b"\0", "unknown"),
        (b"x" * 100_000 + b"\xc3", "unknown"),
        (b"RIFF" + bytes(4) + b"AVI LIST", "unknown"),
    ],
)
def test_other_formats_are_refused(content: bytes, format_: str) -> None:
    assert inspect(Recorded(content)).format == format_
    assert refusal(content)


def test_a_tar_archive_that_begins_as_safetensors_does_is_refused() -> None:
    content = bytearray(struct.pack("<Q", 500) + b'{"' + b"x" * 590)
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    assert inspect(Recorded(bytes(content))).format == "tar"


def test_a_length_that_begins_as_other_formats_do_is_one_of_safetensors() -> None:
    for length in (8, 0x108, 0x280, 0x28, 0x8B1F, 0x4D42):
        content = struct.pack("<Q", length) + b"{}".ljust(length)
        verdict = inspect(Recorded(content))
        assert (verdict.format, verdict.refusal) == ("safetensors", None), length


def test_the_first_text_of_a_file_may_end_within_a_character() -> None:
    text = b"x" + "é".encode() * 5_000_000
    assert inspect(Recorded(text)) == inspect(Recorded(b"x"))


def test_a_column_whose_type_is_a_pickle_is_refused() -> None:
    hidden = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": b"x",
    }
    field = pa.field("a", pa.int64(), metadata=hidden)
    table = pa.table({"a": range(9)}, schema=pa.schema([field]))
    for content in (parquet_file(table), arrow_file(table), arrow_file(table, stream=True)):
        assert "type that is a pickle" in refusal(content)


@pytest.mark.parametrize(
    "content",
    [
        parquet_file()[:-4] + b"PAR2",
        parquet_file()[:-8] + struct.pack("<I", 2**31) + b"PAR1",
        parquet_file()[:-8] + struct.pack("<I", 7) + b"PAR1",
        b"PAR1\x15\0PAR1",
        arrow_file()[:-6] + b"ARROW2",
        arrow_file()[:-10] + struct.pack("<i", 2**30) + b"ARROW1",
        b"\xff\xff\xff\xff" + struct.pack("<I", 64) + bytes(64),
        b"\xff\xff\xff\xff" + struct.pack("<I", 2**31) + bytes(64),
        b"ARROW1\0\0" + bytes(20) + b"ARROW1",
    ],
)
def test_tables_whose_end_is_wrong_are_refused(content: bytes) -> None:
    assert "does not end so" in refusal(content)
    assert TABLE.num_rows == 1000


def test_boxes_of_a_film_that_do_not_tile_it_are_refused() -> None:
    assert refusal(MP4 + b"\0\0\1\0free")
    assert refusal(MP4 + b"\0\0\0\x07free" + bytes(8))
    assert inspect(Recorded(MP4 + b"\0\0\0\0mdat" + bytes(99))).refusal is None


def test_a_large_compressed_file_of_a_format_that_needs_its_end_is_refused() -> None:
    inner = array_file(np.zeros(4_000_000))
    assert "upload it uncompressed" in refusal(gzip.compress(inner))
