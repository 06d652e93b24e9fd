"""Logging of more than numbers from user code: files, images, figures, tables and charts.

Each call checks and converts its value, keeps it as one file in the step folder and adds a line to
the list of items. Outside a run the same is checked and dropped, as with `hansard.log_metric`.
"""

import errno
import mimetypes
import os
import warnings
from pathlib import Path
from typing import Any

from hansard.media.arrays import numbers
from hansard.media.charts import confusion, histogram
from hansard.media.curves import precision_recall, roc
from hansard.media.files import Content, Shelf, of_bytes, of_file
from hansard.media.images import figure as figure_content
from hansard.media.images import image as image_content
from hansard.media.tables import JSON
from hansard.media.tables import table as table_content
from hansard.media.values import Curve
from hansard.run_log import check_key, checked_step, step_folder

MAX_CAPTION_CHARS = 2000
MAX_SUFFIX_CHARS = 16

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MEDIA = {
    ".arrow": "application/vnd.apache.arrow.file",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_TYPES = mimetypes.MimeTypes()
"""The library's own table: what the machine's files add would differ between machines."""

_shelf: Shelf | None = None


def log_file(
    path: str | os.PathLike[str], name: str | None = None, *, step: int | None = None
) -> None:
    """Log a copy of a file as it is now; ``name`` is by default the file's own.

    Raises OSError if it cannot be read, ValueError if it is a folder, pipe or device or has more
    than 4 GiB, and, as all functions here, for a name that `log_metric` would refuse, a step
    outside of int64, an item past the 10,000 of a step or past its 16 GiB.
    """
    source = Path(path)
    shown = source.name.encode(errors="replace").decode()
    name, step = _checked(shown if name is None else name, step)
    suffix = source.suffix[1:].lower()
    if not (suffix.isascii() and suffix.isalnum() and len(suffix) <= MAX_SUFFIX_CHARS):
        suffix = "bin"
    content = of_file(source, suffix, _media(shown), {"filename": shown})
    _log("file", name, step, content)


def log_image(
    name: str, image: object, *, step: int | None = None, caption: str | None = None
) -> None:
    """Log an image: an array, a tensor, a PIL image, or a PNG or JPEG file by path or as bytes.

    Arrays have the shape (height, width) or (height, width, 1, 3 or 4); tensors may have their
    channels first. Pixels are whole numbers in 0..255 or floats in 0..1. ``caption`` has at most
    2,000 characters. Raises TypeError or ValueError for what is no image, naming why.
    """
    name, step = _checked(name, step)
    content = image_content(image)
    if caption is not None:
        content.meta["caption"] = _text(caption, "caption")
    _log("image", name, step, content)


def log_figure(name: str, figure: object, *, step: int | None = None) -> None:
    """Log a figure as it looks now: one of matplotlib as PNG, one of plotly as its JSON.

    Raises TypeError for anything else.
    """
    name, step = _checked(name, step)
    _log("figure", name, step, figure_content(figure))


def log_table(name: str, table: object, *, step: int | None = None) -> None:
    """Log a table of pyarrow, polars or pandas, a dict of columns or a list of dicts.

    It is kept as an Arrow file, or as JSON where pyarrow is not installed or a column has values
    of several types. Raises TypeError for what is no table and for cells that neither can hold,
    ValueError for columns of different lengths.
    """
    name, step = _checked(name, step)
    _log("table", name, step, table_content(table))


def log_histogram(name: str, values: object, *, bins: int = 64, step: int | None = None) -> None:
    """Log how numbers are distributed: over equal bins, or ``(counts, edges)`` as numpy has them.

    Arrays may have any shape. NaN and infinities are counted apart. Raises TypeError for what are
    no numbers, ValueError for a number of bins outside of 1 to 10,000.
    """
    name, step = _checked(name, step)
    found = histogram(values, bins)
    meta = {"bins": len(found.counts), "values": sum(found.counts)}
    _log("histogram", name, step, of_bytes(found.to_json(), "json", JSON, meta))


def log_confusion_matrix(
    name: str,
    truth: object,
    predicted: object,
    *,
    labels: object = None,
    step: int | None = None,
) -> None:
    """Log which class was taken for which, counted from two lists of labels of one length.

    ``labels`` gives the order of the classes, and those that did not occur; by default it is what
    occurs, sorted. Raises TypeError for what are no labels, ValueError for more than 2,000 of them
    and for one that ``labels`` lacks.
    """
    name, step = _checked(name, step)
    found = confusion(truth, predicted, labels)
    _log(
        "confusion_matrix",
        name,
        step,
        of_bytes(found.to_json(), "json", JSON, {"labels": len(found.labels)}),
    )


def log_curve(
    name: str,
    x: object,
    y: object,
    *,
    step: int | None = None,
    x_label: str = "x",
    y_label: str = "y",
) -> None:
    """Log a curve through the points ``(x[i], y[i])``, in this order.

    Raises TypeError for what are no numbers, ValueError for lists of different lengths.
    """
    name, step = _checked(name, step)
    points = tuple(numbers(x, "x")), tuple(numbers(y, "y"))
    labels = _text(x_label, "x_label"), _text(y_label, "y_label")
    _log("curve", name, step, _curve_content(Curve(*points, *labels), {}))


def log_roc(name: str, truth: object, scores: object, *, step: int | None = None) -> None:
    """Log the ROC curve of scores, and the area under it.

    ``truth`` has 0 and 1, False and True or -1 and 1. Raises TypeError for what are no numbers,
    ValueError for lists of different lengths, scores that are not finite and a single class.
    """
    name, step = _checked(name, step)
    curve, area = roc(truth, scores)
    _log("curve", name, step, _curve_content(curve, {"curve": "roc", "area": area}))


def log_precision_recall(
    name: str, truth: object, scores: object, *, step: int | None = None
) -> None:
    """Log the precision-recall curve of scores, and the average precision; see `log_roc`.

    Raises what `log_roc` raises; only positive examples are needed.
    """
    name, step = _checked(name, step)
    curve, average = precision_recall(truth, scores)
    meta = {"curve": "precision_recall", "average_precision": average}
    _log("curve", name, step, _curve_content(curve, meta))


def _log(kind: str, name: str, step: int | None, content: Content) -> None:
    """Called by the public functions alone: the warnings name the line that called those."""
    global _shelf
    folder = step_folder()
    if folder is None:
        return
    shelf = _shelf
    if shelf is None or shelf.folder != folder:
        shelf = _shelf = Shelf(folder)
    try:
        shelf.add(kind, name, step, content)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        # A full disk fails no training step: the same holds for metric points.
        warnings.warn(
            f"no space for the {kind} `{name}`, it is lost: {error.strerror}",
            RuntimeWarning,
            stacklevel=3,
        )


def _curve_content(curve: Curve, meta: dict[str, Any]) -> Content:
    facts = {"points": len(curve.x), "x_label": curve.x_label, "y_label": curve.y_label}
    return of_bytes(curve.to_json(), "json", JSON, facts | meta)


def _checked(name: str, step: int | None) -> tuple[str, int | None]:
    check_key(name)
    return name, None if step is None else checked_step(step)


def _text(text: str, what: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"`{what}` is a {type(text).__name__}, not text")
    if len(text) > MAX_CAPTION_CHARS:
        raise ValueError(f"`{what}` has at most {MAX_CAPTION_CHARS} characters, not {len(text)}")
    text.encode()  # half a surrogate pair is no text
    return text


def _media(filename: str) -> str:
    known = _MEDIA.get(Path(filename).suffix.lower())
    if known:
        return known
    media, encoding = _TYPES.guess_type(filename, strict=True)
    if encoding:
        return "application/gzip" if encoding == "gzip" else "application/octet-stream"
    return media or "application/octet-stream"
