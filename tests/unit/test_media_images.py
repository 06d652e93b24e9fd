"""Images and figures come back pixel for pixel, from every library and without one."""

import io
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import hansard
from hansard import run_log
from hansard.media.images import PLOTLY, PNG, image
from hansard.media.png import decode, encode, png_size
from hansard.media.reading import read_item
from tests.unit.step_items import last, listed

RANDOM = np.random.default_rng(5)


@pytest.fixture
def step_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(run_log.STEP_DIR_VARIABLE, str(tmp_path))
    return tmp_path


def pixels(*shape: int) -> Any:
    return RANDOM.integers(0, 256, shape, dtype="uint8")


def smooth(*shape: int) -> Any:
    """Pixels for which each kind of filter is the best one in some rows."""
    height, width, channels = shape
    slope = np.arange(height)[:, None, None] * 3 + np.arange(width)[None, :, None]
    result = (slope + np.arange(channels) * 40).astype("uint8")
    result[::5] = pixels(1, width, channels)
    result[1::5] = result[0::5][: len(result[1::5])]
    return result


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])).flatmap(
        lambda shape: arrays.arrays("uint8", shape)
    )
)
def test_pixels_survive_our_png_and_pillow_reads_the_same(array: Any) -> None:
    data = encode(array)
    assert data == encode(array.copy())
    expected = array[:, :, 0] if array.shape[2] == 1 else array
    assert np.array_equal(decode(data), expected)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), expected)
    assert png_size(data) == array.shape[1::-1]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_filter_that_is_written_is_read(channels: int) -> None:
    array = smooth(40, 50, channels)
    data = encode(array)
    assert np.array_equal(decode(data), array[:, :, 0] if channels == 1 else array)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))).reshape(array.shape), array)
    assert len(data) < 0.5 * array.nbytes


@pytest.mark.parametrize(
    ("given_image", "expected"),
    [
        (np.array([[0, 255], [7, 9]], "uint8"), [[0, 255], [7, 9]]),
        (np.array([[0, 255]]), [[0, 255]]),
        (np.array([[True, False]]), [[255, 0]]),
        (np.array([[0.0, 0.5, 1.0]]), [[0, 128, 255]]),
        (np.array([[-0.0005, 1.0005]], "float32"), [[0, 255]]),
        (np.array([[0.25]], "float16"), [[64]]),
        (torch.tensor([[0.0, 1.0]]), [[0, 255]]),
        (torch.tensor([[0.5]], dtype=torch.bfloat16, requires_grad=True), [[128]]),
        (torch.tensor([[[0, 1]], [[2, 3]], [[4, 5]]], dtype=torch.uint8), [[[0, 2, 4], [1, 3, 5]]]),
        (torch.ones(2, 5, 3), [[[255] * 3] * 5] * 2),
        (torch.zeros(1, 2, 2), [[0, 0], [0, 0]]),
        (Image.fromarray(np.array([[1, 2]], "uint8")), [[1, 2]]),
        (Image.new("CMYK", (1, 1)), [[[255, 255, 255]]]),
        (Image.new("1", (1, 1), 1), [[True]]),
        (Image.new("I;16", (1, 1), 999), [[999]]),
        (Image.new("P", (1, 1)), [[[0, 0, 0]]]),
    ],
)
def test_images_of_every_library_are_kept(step_dir: Path, given_image: Any, expected: Any) -> None:
    hansard.log_image("sample", given_image)
    assert last(step_dir).tolist() == expected


def test_what_an_image_is_stands_in_its_line(step_dir: Path) -> None:
    hansard.log_image("sample", pixels(3, 5, 4), step=np.int64(2), caption="höhe")  # type: ignore[arg-type]
    (item,) = listed(step_dir)
    assert (item["kind"], item["media"], item["step"]) == ("image", "image/png", 2)
    assert item["meta"] == {"width": 5, "height": 3, "caption": "höhe"}
    assert item["size"] == (step_dir / item["file"]).stat().st_size


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("by_path", [True, False])
def test_image_files_are_kept_byte_for_byte(
    step_dir: Path, tmp_path: Path, form: str, by_path: bool
) -> None:
    buffer = io.BytesIO()
    picture = Image.fromarray(smooth(17, 23, 3))
    picture.save(buffer, form, progressive=True)
    path = tmp_path / "image.bin"
    path.write_bytes(buffer.getvalue())
    hansard.log_image("sample", path if by_path else buffer.getvalue())
    (item,) = listed(step_dir)
    assert (step_dir / item["file"]).read_bytes() == buffer.getvalue()
    assert item["meta"] == {"width": 23, "height": 17}
    assert np.array_equal(last(step_dir), np.asarray(Image.open(buffer)))


@pytest.mark.parametrize(
    ("odd", "error", "message"),
    [
        (np.zeros((3, 8, 8), "uint8"), ValueError, "shape"),
        (np.zeros((0, 8), "uint8"), ValueError, "pixels"),
        (np.zeros(8, "uint8"), ValueError, "shape"),
        (np.array([[0.0, 255.0]]), ValueError, "scale or clip"),
        (np.array([[-1.0, 1.0]]), ValueError, "scale or clip"),
        (np.array([[np.nan]]), ValueError, "scale or clip"),
        (np.array([[256]]), ValueError, "0..255"),
        (np.array([[-1]]), ValueError, "0..255"),
        (np.array([[1j]]), TypeError, "complex"),
        (np.array([["a"]]), TypeError, "not of numbers"),
        ([[1, 2]], TypeError, "list"),
        (None, TypeError, "NoneType"),
        (b"GIF89a", ValueError, "neither PNG nor JPEG"),
        (b"\x89PNG\r\n\x1a\n", ValueError, "no PNG"),
        (b"\xff\xd8\xff\xe0\x00\x02" * 9, ValueError, "no JPEG"),
        (Path("/dev/zero"), ValueError, "no regular file"),
    ],
)
def test_what_is_no_image_is_refused(
    step_dir: Path, odd: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        hansard.log_image("sample", odd)
    with pytest.raises((TypeError, ValueError), match="caption"):
        hansard.log_image("sample", pixels(1, 1), caption="x" * 2001)
    assert list(step_dir.iterdir()) == []


def test_a_matplotlib_figure_is_the_same_png_each_time(step_dir: Path) -> None:
    figures = import_module("matplotlib.figure")
    for _ in range(2):
        figure = figures.Figure(figsize=(2, 1), dpi=50)
        figure.subplots().plot([1, 2], [3, 4])
        hansard.log_figure("loss", figure, step=1)
    first, second = listed(step_dir)
    assert first["file"] == second["file"]
    assert (first["media"], first["meta"]) == (PNG, {"width": 100, "height": 50})
    data = last(step_dir)
    assert Image.open(io.BytesIO(data)).size == (100, 50)
    assert b"Software" not in data


def test_a_plotly_figure_comes_back_as_its_json(step_dir: Path) -> None:
    graphs = import_module("plotly.graph_objects")
    hansard.log_figure("loss", graphs.Figure(graphs.Scatter(x=[1, 2], y=[3, 4])))
    assert listed(step_dir)[0]["media"] == PLOTLY
    found = last(step_dir)
    assert found["data"][0]["y"] == [3, 4]
    assert graphs.Figure(found).data[0].x == (1, 2)


def test_what_is_no_figure_is_refused(step_dir: Path) -> None:
    with pytest.raises(TypeError, match="not of matplotlib or plotly"):
        hansard.log_figure("loss", pixels(2, 2))
    assert list(step_dir.iterdir()) == []


def test_arrays_need_no_pillow_neither_written_nor_read(step_dir: Path) -> None:
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "import hansard, numpy, pathlib\n"
        "from hansard.media.reading import read_item\n"
        "hansard.log_image('a', numpy.arange(24).reshape(2, 4, 3))\n"
        "path, = pathlib.Path(sys.argv[1], 'items').iterdir()\n"
        "print(read_item('image', 'image/png', path).ravel().tolist() == list(range(24)))"
    )
    command = [sys.executable, "-c", code, str(step_dir)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"True\n"


@given(st.data())
def test_a_damaged_image_is_refused_and_never_more(data: st.DataObject) -> None:
    whole = encode(np.arange(126, dtype="uint8").reshape(6, 7, 3))
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    for odd in (bytes(changed), whole[:at]):
        with pytest.raises(ValueError):
            read_item("image", PNG, odd)


def test_an_image_that_unpacks_to_more_than_it_states_is_refused() -> None:
    stated, packed = encode(pixels(1, 1, 3)), encode(np.zeros((4000, 4000, 3), "uint8"))
    bomb = stated[:33] + packed[33:]
    with pytest.raises(ValueError, match="another size"):
        read_item("image", PNG, bomb)
    with pytest.raises(ValueError, match="another size"):
        read_item("image", PNG, packed[:33] + stated[33:])


@pytest.mark.parametrize("media", ["image/png", "image/jpeg"])
def test_a_damaged_image_of_pillow_is_refused(media: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels(8, 8)).convert("LA" if media == PNG else "L").save(
        buffer, media.rpartition("/")[2]
    )
    whole = buffer.getvalue()
    assert read_item("image", media, whole).shape[:2] == (8, 8)
    with pytest.raises(ValueError):
        read_item("image", media, whole[: len(whole) // 2])
    assert image(whole).media == media
