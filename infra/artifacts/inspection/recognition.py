"""What a file is, by its content, and why it is refused."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.artifacts.inspection import archives, images, media, pickles, tables, text, weights
from infra.artifacts.inspection.npy import npy
from infra.artifacts.inspection.onnx import onnx
from infra.artifacts.inspection.source import (
    Budget,
    Memory,
    NotRecognised,
    Reader,
    Refused,
    Source,
)

FORMATS = frozenset(
    {
        *("safetensors", "onnx", "gguf", "skops", "npy", "npz"),
        *("text", "json", "parquet", "arrow", "pdf", "gzip", "zip"),
        *("png", "jpeg", "gif", "webp", "bmp", "tiff"),
        *("wav", "flac", "mp3", "ogg", "mp4"),
    }
)
"""What is accepted, by the names that verdicts use."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file is. `refusal` says what is wrong and what to do; None if it is accepted."""

    format: str
    refusal: str | None


def inspect(reader: Reader) -> Verdict:
    """The verdict on a file, within bounds of reading and time whatever it is."""
    try:
        return Verdict(_recognise(Source(reader, Budget())), None)
    except Refused as refusal:
        return Verdict(refusal.format, refusal.reason)


def first_look(head: bytes, size: int) -> str | None:
    """The format of a file of `size` bytes, if its first bytes are all of it and are accepted.

    None says that only `inspect` can tell.
    """
    if len(head) < size:
        return None
    verdict = inspect(Memory(head))
    return verdict.format if verdict.refusal is None else None


def _recognise(source: Source) -> str:
    head = source.head
    if not head:
        return "text"
    if _is_tar(head):
        raise Refused("it is a tar archive: upload the files in it, or pack them as zip", "tar")
    is_text = text.is_text(head, last=source.is_whole)
    pickles.check(source, text=is_text)
    if head.startswith(b"%PDF-"):
        format_ = media.pdf(source)
    elif is_text:
        return text.recognise(source)
    else:
        format_ = _recognise_binary(source)
    if source.seekable and format_ not in _ZIPS:
        archives.check_no_zip_at_end(source)
    return format_


def _recognise_binary(source: Source) -> str:
    head = source.head
    if weights.is_safetensors(head):  # it begins with a length, which any mark may look like
        return weights.safetensors(source)
    for at, mark, check in _CHECKS:
        if head.startswith(mark, at):
            return check(source)
    for mark, reason, format_ in _KNOWN_REFUSED:
        if head.startswith(mark):
            raise Refused(reason, format_)
    if pickles.begins_one(head):
        raise Refused(pickles.REASON, pickles.FORMAT)
    raise NotRecognised


def _riff(source: Source) -> str:
    kind = source.head[8:12]
    if kind == b"WEBP":
        return images.webp(source)
    if kind == b"WAVE":
        return media.wav(source)
    raise NotRecognised


def _gzip(source: Source) -> str:
    return archives.gzip(source, _recognise)


def _zip(source: Source) -> str:
    return archives.zip_(source, _recognise)


_ZIPS = frozenset({"zip", "npz", "skops"})

_CHECKS: tuple[tuple[int, bytes, Callable[[Source], str]], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", images.png),
    (0, b"\xff\xd8\xff", images.jpeg),
    (0, b"GIF8", images.gif),
    (0, b"RIFF", _riff),
    (0, b"BM", images.bmp),
    *((0, mark, images.tiff) for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (0, b"\x93NUMPY", npy),
    (0, b"PAR1", tables.parquet),
    (0, b"ARROW1\0\0", tables.arrow_file),
    (0, b"\xff\xff\xff\xff", tables.arrow_stream),
    (0, b"GGUF", weights.gguf),
    *((0, mark, _zip) for mark in (b"PK\x03\x04", b"PK\x05\x06")),
    (0, b"\x1f\x8b", _gzip),
    (0, b"fLaC", media.flac),
    (0, b"OggS", media.ogg),
    *(
        (0, mark, media.mp3)
        for mark in (b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2")
    ),
    (4, b"ftyp", media.mp4),
    (0, b"\x08", onnx),
)

_UNPACK = "it is packed in a way that is not looked into: upload what is in it"

_KNOWN_REFUSED = (
    (
        b"\x89HDF\r\n\x1a\n",
        "HDF5 is not accepted, since Keras models in it hold code: save weights as safetensors,"
        " tables as Parquet",
        "hdf5",
    ),
    (b"7z\xbc\xaf\x27\x1c", _UNPACK, "7z"),
    (b"Rar!\x1a\x07", _UNPACK, "rar"),
    (b"\xfd7zXZ\0", _UNPACK, "xz"),
    (b"BZh", _UNPACK, "bzip2"),
    (b"\x28\xb5\x2f\xfd", _UNPACK, "zstd"),
    (b"\x04\x22\x4d\x18", _UNPACK, "lz4"),
)


def _is_tar(head: bytes) -> bool:
    """Whether the first block has the checksum of a tar header."""
    block = head[:512]
    digits = block[148:156].strip(b" \0")
    if len(block) < 512 or not digits or digits.strip(b"01234567"):
        return False
    plain = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    return int(digits, 8) == plain
