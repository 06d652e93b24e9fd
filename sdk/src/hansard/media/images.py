"""Images and figures as file content: arrays become PNG here, image files are kept as they are."""

import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from hansard.media.arrays import real_array
from hansard.media.files import Content, of_bytes, read_regular
from hansard.media.png import (
    JPEG_START,
    MAX_PIXELS,
    PNG_START,
    encode,
    jpeg_size,
    png_size,
)

PNG = "image/png"
JPEG = "image/jpeg"
PLOTLY = "application/vnd.plotly.v1+json"

_CHANNELS = (1, 3, 4)
_PNG_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})
_ROUNDING = 1e-3
"""How far float pixels may lie outside of 0..1: interpolation leaves them there."""


def image(value: object) -> Content:
    """An array, tensor, PIL image, or a PNG or JPEG file given by path or bytes.

    Raises TypeError for anything else, ValueError for shapes and values that are no image.
    """
    if isinstance(value, str | os.PathLike):
        return image_file(read_regular(Path(value)))
    if isinstance(value, bytes | bytearray | memoryview):
        return image_file(bytes(value))
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(value, pil.Image):
        return image_file(_saved(value))
    array = real_array(value, "image")
    if array is None:
        raise TypeError(f"`image` is a {type(value).__name__}, not an image")
    is_tensor = hasattr(value, "detach")
    return image_file(encode(_bytes_of(_channels_last(array, is_tensor))))


def image_file(data: bytes) -> Content:
    """A PNG or JPEG file. Raises ValueError if the bytes begin like neither."""
    if data.startswith(PNG_START):
        (width, height), suffix, media = png_size(data), "png", PNG
    elif data.startswith(JPEG_START):
        (width, height), suffix, media = jpeg_size(data), "jpg", JPEG
    else:
        raise ValueError("the image file is neither PNG nor JPEG")
    return of_bytes(data, suffix, media, {"width": width, "height": height})


def figure(value: object) -> Content:
    """A matplotlib figure as PNG, a plotly figure as its JSON. Raises TypeError for others."""
    if callable(getattr(value, "to_plotly_json", None)):
        data: str = value.to_json()  # type: ignore[attr-defined]
        return of_bytes(data.encode(), "json", PLOTLY, {})
    save = getattr(value, "savefig", None)
    if not callable(save):
        raise TypeError(f"`figure` is a {type(value).__name__}, not of matplotlib or plotly")
    buffer = io.BytesIO()
    # Without the library's version: the same figure is the same file.
    save(buffer, format="png", metadata={"Software": None})
    return image_file(buffer.getvalue())


def _channels_last(array: Any, is_tensor: bool) -> Any:
    """The array as (height, width, channels); tensors have channels first unless they cannot."""
    if array.ndim == 2:
        array = array[:, :, None]
    elif is_tensor and array.ndim == 3 and array.shape[0] in _CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in _CHANNELS:
        raise ValueError(
            f"an image of shape {array.shape}: (height, width) is needed, or (height, width, "
            "channels) with 1, 3 or 4 channels"
        )
    if not 0 < array.shape[0] * array.shape[1] <= MAX_PIXELS:
        raise ValueError(f"an image has 1 to {MAX_PIXELS:,} pixels, not {array.shape[:2]}")
    return array


def _bytes_of(array: Any) -> Any:
    """The pixels as uint8. Raises ValueError if they are outside of their type's range."""
    numpy = import_module("numpy")
    kind = array.dtype.kind
    lowest, highest = array.min(), array.max()
    if kind == "b":
        return array.astype("uint8") * numpy.uint8(255)
    if kind != "f":
        if lowest < 0 or highest > 255:
            raise ValueError(f"whole pixels lie in 0..255, these in {lowest}..{highest}")
        return array.astype("uint8")
    if not (lowest >= -_ROUNDING and highest <= 1 + _ROUNDING):
        raise ValueError(
            f"float pixels lie in 0..1, these in {lowest}..{highest}: scale or clip them first"
        )
    scaled = numpy.rint(array.clip(0, 1).astype("float32") * numpy.float32(255))
    return scaled.astype("uint8")


def _saved(picture: Any) -> bytes:
    if picture.mode not in _PNG_MODES:
        picture = picture.convert("RGBA" if "A" in picture.getbands() else "RGB")
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
