"""Logged items read back as what they were: arrays, tables, charts, figures, bytes.

The content may come from anybody: what is not what it claims to be raises ValueError.
"""

import io
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from hansard.media.images import JPEG, PLOTLY, PNG
from hansard.media.png import NotOurs, decode, jpeg_size, png_size
from hansard.media.tables import ARROW, JSON, columns_from_json
from hansard.media.values import ConfusionMatrix, Curve, Histogram, json_object


def read_item(kind: str, media: str, data: bytes | Path) -> Any:
    """The value of an item of this kind and media type, from its content or the file with it.

    ``image``: a numpy array of shape (height, width) or (height, width, channels), uint8 but for
    deeper files; ``figure``: the bytes of a PNG or the dict of a plotly figure; ``table``: a
    pyarrow Table, over the mapped file where a path is given, or a dict of columns;
    ``histogram``, ``confusion_matrix`` and ``curve``: the classes of `hansard.media.values`;
    ``file``: its bytes.
    Raises ValueError for another kind and for content that is not of it, ModuleNotFoundError
    where the value needs a library that is not installed.
    """
    if (kind, media) == ("table", ARROW):
        return _arrow(data)
    content = data.read_bytes() if isinstance(data, Path) else data
    if kind == "file":
        return content
    reader = _READERS.get((kind, media))
    if reader is None:
        raise ValueError(f"no item is a {kind} of the type {media}")
    return reader(content)


def _arrow(data: bytes | Path) -> Any:
    arrow = import_module("pyarrow")
    try:
        source = arrow.memory_map(str(data)) if isinstance(data, Path) else arrow.py_buffer(data)
        table = arrow.ipc.open_file(source).read_all()
        # Whole, since offsets that lead outside of the file would be followed later.
        table.validate(full=True)
    except arrow.ArrowException as error:
        raise ValueError(f"the data is no Arrow table: {error}") from None
    return table


def _png(content: bytes) -> Any:
    png_size(content)
    try:
        return decode(content)
    except NotOurs:
        return _by_pillow(content, "PNG")


def _jpeg(content: bytes) -> Any:
    jpeg_size(content)
    return _by_pillow(content, "JPEG")


def _by_pillow(content: bytes, form: str) -> Any:
    pillow = import_module("PIL.Image")
    try:
        picture = pillow.open(io.BytesIO(content), formats=(form,))
        if picture.mode == "P":
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
        return import_module("numpy").asarray(picture)
    except (OSError, SyntaxError, pillow.DecompressionBombError) as error:
        raise ValueError(f"the {form} image is damaged: {error}") from None


def _drawn(content: bytes) -> bytes:
    png_size(content)
    return content


_READERS: dict[tuple[str, str], Callable[[bytes], Any]] = {
    ("image", PNG): _png,
    ("image", JPEG): _jpeg,
    ("figure", PNG): _drawn,
    ("figure", PLOTLY): json_object,
    ("table", JSON): columns_from_json,
    ("histogram", JSON): Histogram.from_json,
    ("confusion_matrix", JSON): ConfusionMatrix.from_json,
    ("curve", JSON): Curve.from_json,
}
