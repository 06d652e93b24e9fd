"""Bundles that extend a version: what is seen, what is inherited, and what is refused."""

import json
from pathlib import Path

import pytest

from hansard.formats import archive
from hansard.formats.bundle import Base, Bundle, BundleError, pack, peek, read

VERSION = "version-01900000-0000-7000-8000-000000000001"
NET = "import hansard\nfrom layers import WIDTH\n\nclass Net(hansard.Model):\n    width = WIDTH\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "below"
    root.mkdir()
    (root / "net.py").write_text(NET)
    (root / "layers.py").write_text("WIDTH = 8\n")
    (root / "requirements.txt").write_text("numpy>=2\n")
    (root / "pyproject.toml").write_text('[tool.hansard]\nname = "a net"\n')
    return root


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    root = tmp_path / "above"
    root.mkdir()
    (root / "layers.py").write_text("WIDTH = 16\n")
    (root / "pyproject.toml").write_text('[tool.hansard]\nbase = "a net:1"\n')
    return root


@pytest.fixture
def below(folder: Path) -> Bundle:
    return pack(folder)


@pytest.fixture
def base(below: Bundle) -> Base:
    return Base(VERSION, below.digest, read(below.data))


def test_the_files_stand_in_front_of_those_of_the_base_and_the_rest_is_inherited(
    upper: Path, below: Bundle, base: Base
) -> None:
    bundle = pack(upper, base=base)
    own = archive.decode(bundle.data)
    assert own.keys() == {"hansard.json", "layers.py", "pyproject.toml"}
    seen = read(bundle.data, [below.data]).files
    assert (seen["layers.py"], seen["net.py"]) == (b"WIDTH = 16\n", NET.encode())
    manifest = bundle.manifest
    assert (manifest.name, manifest.entry, manifest.kind) == ("a net", "net:Net", "model")
    assert manifest.requirements == ("numpy>=2",)
    assert manifest.base == {"version": VERSION, "bundle": below.digest}
    assert peek(bundle.data) == manifest


def test_what_the_folder_says_itself_wins(upper: Path, base: Base) -> None:
    (upper / "requirements.txt").write_text("polars\n")
    settings = '[tool.hansard]\nbase = "a net:1"\nname = "wide"\nentry = "wide:Wide"\n'
    (upper / "pyproject.toml").write_text(settings)
    (upper / "wide.py").write_text("import net\n\nclass Wide(net.Net):\n    pass\n")
    manifest = pack(upper, base=base).manifest
    assert (manifest.name, manifest.entry) == ("wide", "wide:Wide")
    assert manifest.requirements == ("polars",)


def test_layers_lie_upon_each_other(upper: Path, below: Bundle, base: Base, tmp_path: Path) -> None:
    middle = pack(upper, base=base)
    contents = read(middle.data, [below.data])
    top = tmp_path / "top"
    top.mkdir()
    (top / "extra.py").write_text("x = 1\n")
    bundle = pack(top, base=Base(VERSION, middle.digest, contents))
    seen = read(bundle.data, [below.data, middle.data])
    assert seen.files["layers.py"] == b"WIDTH = 16\n"
    assert {"net.py", "extra.py"} <= seen.files.keys()
    assert seen.manifest.entry == "net:Net"


def test_a_bundle_is_not_read_without_what_it_extends_or_with_what_it_does_not(
    upper: Path, below: Bundle, base: Base
) -> None:
    bundle = pack(upper, base=base)
    for data, layers in ((bundle.data, []), (below.data, [bundle.data])):
        with pytest.raises(BundleError, match="extends"):
            read(data, layers)
    with pytest.raises(BundleError, match="a net:1"):
        pack(upper)


def test_a_file_where_the_base_has_a_folder_and_an_entry_hidden_by_a_file_are_refused(
    upper: Path, base: Base
) -> None:
    (upper / "net.py").mkdir()
    (upper / "net.py" / "x.py").write_text("")
    with pytest.raises(BundleError) as caught:
        pack(upper, base=base)
    assert caught.value.problem_code == "duplicate_name"
    (upper / "net.py" / "x.py").unlink()
    (upper / "net.py").rmdir()
    (upper / "net.py").write_text("x = 1\n")
    with pytest.raises(BundleError) as caught:
        pack(upper, base=base)
    assert caught.value.problem_code == "missing_entry"


def test_layers_together_are_no_larger_than_one_bundle(upper: Path, folder: Path) -> None:
    half = bytes(archive.MAX_UNPACKED_BYTES // 2)
    (folder / "half.bin").write_bytes(half)
    (upper / "other.bin").write_bytes(half)
    below = pack(folder)
    with pytest.raises(BundleError) as caught:
        pack(upper, base=Base(VERSION, below.digest, read(below.data)))
    assert caught.value.problem_code == "bundle_too_large"


@pytest.mark.parametrize(
    "base",
    [
        "a net:1",
        ["a"],
        {"version": VERSION},
        {"version": "version-1", "bundle": "0" * 64},
        {"version": VERSION, "bundle": "0" * 63},
        {"version": VERSION, "bundle": "0" * 64, "more": "x"},
        {"version": 1, "bundle": 2},
    ],
)
def test_an_odd_base_in_a_manifest_is_refused(below: Bundle, base: object) -> None:
    files = archive.decode(below.data)
    manifest = {**json.loads(files["hansard.json"]), "base": base}
    data = archive.encode({**files, "hansard.json": json.dumps(manifest).encode()})
    with pytest.raises(BundleError) as caught:
        peek(data)
    assert (caught.value.problem_code, caught.value.where) == ("invalid_manifest", "hansard.json")
