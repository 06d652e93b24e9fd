"""Files as their own writers make them, for what tells files apart by content."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import joblib
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import safetensors.torch
import skops.io
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.linear_model import LogisticRegression

from infra.artifacts.inspection import inspect


class Recorded:
    """A file that counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self.bytes_read = 0
        self._content = content

    def read(self, offset: int, length: int) -> bytes:
        data = self._content[offset : offset + length]
        self.bytes_read += len(data)
        return data


class Endless:
    """A file of any size: a beginning, then the same bytes again and again."""

    def __init__(self, head: bytes, size: int, filling: bytes) -> None:
        self.size = size
        self.bytes_read = 0
        self._head = head
        self._filling = filling

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        self.bytes_read += length
        head = self._head[offset : offset + length]
        start = (offset + len(head)) % len(self._filling)
        needed = length - len(head)
        repeated = self._filling * (needed // len(self._filling) + 2)
        return head + repeated[start : start + needed]


def refusal(content: bytes) -> str:
    """Why a file is refused; fails if it is accepted."""
    verdict = inspect(Recorded(content))
    assert verdict.refusal is not None, verdict
    return verdict.refusal


def varint(number: int) -> bytes:
    """A number as protocol buffers write it."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    """What a writer puts into a file."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in files.items():
                archive.writestr(name, content)

    return written(write)


def tar_of(name: str, content: bytes) -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

    return written(write)


def image(format_: str) -> bytes:
    picture = Image.effect_noise((40, 30), 60).convert("RGB")
    return written(lambda buffer: picture.save(buffer, format_))


def array_file(array: Any) -> bytes:
    return written(lambda buffer: np.save(buffer, array))


def a_model() -> LogisticRegression:
    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def onnx_model(location: str | None = None) -> bytes:
    """A matrix product; its weights are in another file if a location is given."""
    weights = numpy_helper.from_array(np.ones((100, 100), np.float32), "W")
    if location is not None:
        weights.data_location = TensorProto.EXTERNAL
        weights.ClearField("raw_data")
        weights.external_data.add(key="location", value=location)
    shape = [1, 100]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["X", "W"], ["Y"])],
        "graph",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, shape)],
        [weights],
    )
    model: onnx.ModelProto = helper.make_model(graph)
    serialized: bytes = model.SerializeToString()
    return serialized


def _text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf_model(elements: int = 32, stated: int = 32, offset: int = 0) -> bytes:
    """A model with a vocabulary and one tensor that states so many of its elements."""
    words = b"".join(_text(b"word%d" % number) for number in range(1000))
    entries = [
        _text(b"general.architecture") + struct.pack("<I", 8) + _text(b"llama"),
        _text(b"general.alignment") + struct.pack("<II", 4, 64),
        _text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 1000) + words,
        _text(b"llama.rope.freq_base") + struct.pack("<If", 6, 1e4),
    ]
    tensor = _text(b"output.weight") + struct.pack("<IQIQ", 1, stated, 0, offset)
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + b"".join(entries) + tensor
    return header + bytes(-len(header) % 64) + bytes(4 * elements)


TABLE = pa.table({"a": range(1000), "b": ["x"] * 1000})


def parquet_file(table: Any = TABLE) -> bytes:
    return written(lambda buffer: pyarrow.parquet.write_table(table, buffer))


def arrow_file(table: Any = TABLE, *, stream: bool = False) -> bytes:
    new = pa.ipc.new_stream if stream else pa.ipc.new_file

    def write(buffer: io.BytesIO) -> None:
        with new(buffer, table.schema) as writer:
            writer.write_table(table)

    return written(write)


WAV = (
    b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\x08\0\0\0"
    + bytes(8)
)
FLAC = b"fLaC\x80\0\0\x22" + bytes(34)
MP3 = (b"\xff\xfb\x90\x00" + bytes(413)) * 3
TAGGED_MP3 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + MP3
OGG = b"OggS\0\x02" + bytes(20) + b"\x01\x1e\x01vorbis" + bytes(23)
MP4 = b"\0\0\0\x14ftypisom\0\0\0\0isom" + b"\0\0\0\x10mdat" + bytes(8)


@cache
def accepted() -> dict[str, tuple[str, bytes]]:
    """Files that are accepted, by what they are: the format and the content."""
    tensors = {"a": torch.ones(30, 40), "b": torch.zeros(0, 3), "c": torch.tensor(1.5)}
    structured = np.zeros(3, dtype=[("a", "<f4", (2,)), ("b", "U5"), ("c", [("d", "?")])])
    arrays: dict[str, Any] = {"a": np.ones(30_000), "b": np.arange(3)}
    return {
        "nothing": ("text", b""),
        "safetensors": ("safetensors", safetensors.torch.save(tensors, {"format": "pt"})),
        "no tensors": ("safetensors", safetensors.torch.save({})),
        "onnx": ("onnx", onnx_model()),
        "gguf": ("gguf", gguf_model()),
        "skops": ("skops", skops.io.dumps({"model": a_model(), "raw": b"\0\1\2abc"})),
        "npy": ("npy", array_file(np.ones((3, 4)))),
        "npy of text": ("npy", array_file(np.array(["a", "bc"]))),
        "npy of dates": ("npy", array_file(np.array(["2026-01-01"], "datetime64[ns]"))),
        "npy of records": ("npy", array_file(structured)),
        "npz": ("npz", written(lambda buffer: np.savez(buffer, **arrays))),
        "packed npz": ("npz", written(lambda buffer: np.savez_compressed(buffer, **arrays))),
        "parquet": ("parquet", parquet_file()),
        "arrow file": ("arrow", arrow_file()),
        "arrow stream": ("arrow", arrow_file(stream=True)),
        "feather": ("arrow", written(lambda buffer: pyarrow.feather.write_feather(TABLE, buffer))),
        "json": ("json", b'{"a": [1, 2, {"b": null}]}\n'),
        "long json": ("json", b"[" + b'{"a": "]"}, ' * 200_000 + b"{}]"),
        "lines of json": ("text", b'{"a": 1}\n' * 20_000),
        "long lines of json": ("text", b'{"a": 1}\n' * 200_000),
        "csv": ("text", b"0.5,1.5\n2,3\n"),
        "long text": ("text", "naïve café,1\n".encode() * 400_000),
        "terminal log": ("text", b"\x1b[32mok\x1b[0m 10%\r 20%\x08\n"),
        "pdf": ("pdf", image("PDF")),
        "gzip": ("gzip", gzip.compress(b"a,b\n1,2\n" * 10_000)),
        "gzip of arrays": ("gzip", gzip.compress(array_file(np.ones(9)))),
        "zip": ("zip", zipped({"a.txt": b"text", "b/": b"", "b/c.png": image("PNG")})),
        "empty zip": ("zip", zipped({})),
        "stored zip": ("zip", zipped({"a.png": image("PNG")}, zipfile.ZIP_STORED)),
        **{name.lower(): (name.lower(), image(name)) for name in _IMAGES},
        "wav": ("wav", WAV),
        "flac": ("flac", FLAC),
        "mp3": ("mp3", MP3),
        "mp3 with a tag": ("mp3", TAGGED_MP3),
        "ogg": ("ogg", OGG),
        "mp4": ("mp4", MP4),
    }


_IMAGES = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


def torch_file(*, legacy: bool = False) -> bytes:
    state = {"a": torch.ones(3)}
    return written(
        lambda buffer: torch.save(state, buffer, _use_new_zipfile_serialization=not legacy)
    )


def joblib_file(compress: Any = 0) -> bytes:
    return written(lambda buffer: joblib.dump(a_model(), buffer, compress=compress))


def objects_file(*, packed: bool = False) -> bytes:
    """An array of Python objects, which numpy saves as a pickle."""
    array = np.array([None, {}], dtype=object)
    save = np.savez if packed else np.save
    return written(lambda buffer: save(buffer, array, allow_pickle=True))


def evil(protocol: int) -> bytes:
    """A pickle that calls a function with arguments."""
    return pickle.dumps(_Evil(), protocol)


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, ("1 + 1",)
