"""Packing is the same everywhere; reading an upload refuses whatever could do harm."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from hansard.formats import archive
from hansard.formats.bundle import BundleError, pack, read, unpack
from hansard.formats.sources import MAX_SOURCE_BYTES

EXECUTOR = b"import hansard\n\nclass Train(hansard.Executor):\n    pass\n"


def manifest(**changes: object) -> bytes:
    fields = {
        "format": 1,
        "kind": "executor",
        "entry": "train:Train",
        "name": "Train",
        "description": "",
        "requirements": [],
    }
    return json.dumps(fields | changes).encode()


def tar_of(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def upload(*extra: tuple[tarfile.TarInfo | str, bytes], **changes: object) -> bytes:
    return tar_of(("hansard.json", manifest(**changes)), ("train.py", EXECUTOR), *extra)


def refusal(data: bytes) -> BundleError:
    with pytest.raises(BundleError) as caught:
        read(data)
    return caught.value


def typed(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    return info


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "train.py").write_bytes(EXECUTOR)
    (root / "pkg" / "__init__.py").write_bytes(b"")
    (root / "requirements.txt").write_text(
        "# the net\nnumpy>=2.0,<3  # arrays\n\ntorch==2.13.0; sys_platform == 'linux'\n"
    )
    return root


def test_the_same_sources_pack_to_the_same_bytes_whatever_the_disk_says(
    folder: Path, tmp_path: Path
) -> None:
    first = pack(folder)
    twin = tmp_path / "twin"
    (twin / "pkg").mkdir(parents=True)
    for name in ("requirements.txt", "pkg/__init__.py", "train.py"):
        (twin / name).write_bytes((folder / name).read_bytes())
        (twin / name).chmod(0o777)
        os.utime(twin / name, (1, 1))
    assert pack(twin) == first
    assert first.digest == "f7c744e6eaff9657c6ead8804afa9d8a84e7a4be364aafe0c646089d862e6d63"


def test_a_packed_folder_is_read_back_and_unpacked_as_it_was(folder: Path, tmp_path: Path) -> None:
    bundle = pack(folder)
    contents = read(bundle.data)
    assert contents.manifest == bundle.manifest
    assert contents.manifest.entry == "train:Train"
    assert contents.manifest.kind == "executor"
    assert contents.manifest.requirements == (
        "numpy>=2.0,<3",
        "torch==2.13.0; sys_platform == 'linux'",
    )
    unpack(contents, tmp_path / "out")
    assert pack(tmp_path / "out") == bundle
    with pytest.raises(FileExistsError):
        unpack(contents, tmp_path / "out")


def test_hidden_ignored_and_excluded_files_stay_at_home(folder: Path) -> None:
    (folder / ".env").write_text("TOKEN=secret")
    (folder / "data").mkdir()
    (folder / "data" / "big.bin").write_bytes(b"x")
    (folder / "notes.txt").write_text("mine")
    (folder / ".hansardignore").write_text("# large\ndata/\n")
    files = read(pack(folder, exclude=["*.txt"]).data).files
    assert sorted(files) == ["hansard.json", "pkg/__init__.py", "train.py"]
    only = read(pack(folder, include=["*.py"]).data).files
    assert sorted(only) == ["hansard.json", "pkg/__init__.py", "train.py"]


def test_settings_come_from_pyproject_then_the_manifest_then_the_call(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.hansard]\nname = "a"\ndescription = "d"\n')
    (folder / "hansard.json").write_text('{"name": "b"}')
    assert (pack(folder).manifest.name, pack(folder).manifest.description) == ("b", "d")
    assert pack(folder, name="c").manifest.name == "c"


def test_two_candidates_for_the_entry_must_be_decided_by_the_user(folder: Path) -> None:
    (folder / "other.py").write_text("from hansard import Model as M\nclass Net(M): ...\n")
    with pytest.raises(BundleError, match="other:Net, train:Train") as caught:
        pack(folder)
    assert caught.value.problem_code == "missing_entry"
    assert pack(folder, kind="model").manifest.entry == "other:Net"
    assert pack(folder, entry="train:Train").manifest.kind == "executor"


def test_a_link_in_the_folder_is_refused_unless_excluded(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(BundleError) as caught:
        pack(folder)
    assert (caught.value.problem_code, caught.value.where) == ("link_refused", "link")
    assert "link" not in read(pack(folder, exclude=["link"]).data).files


@pytest.mark.parametrize("name", ["x" * 101, "/".join(["y" * 90] * 3)])
def test_a_path_too_long_for_every_disk_is_refused_when_packing(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        pack(folder)
    assert caught.value.problem_code == "name_too_long"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../evil.py", "unsafe_name"),
        ("a/../../evil.py", "unsafe_name"),
        ("./a.py", "unsafe_name"),
        ("/etc/evil.py", "unsafe_name"),
        ("a//b.py", "unsafe_name"),
        ("C:evil.py", "unsafe_name"),
        ("a\\b.py", "unsafe_name"),
        ("a\nb.txt", "unsafe_name"),
        ("a\x7fb.txt", "unsafe_name"),
        ("x" * 101, "special_file"),
        ("TRAIN.py", "duplicate_name"),
        ("train.py", "duplicate_name"),
        ("train.py/inner.txt", "duplicate_name"),
    ],
)
def test_names_that_could_leave_the_folder_or_collide_are_refused(name: str, code: str) -> None:
    assert refusal(upload((name, b"x=1\n"))).problem_code == code


def test_names_equal_but_for_unicode_form_are_one_name() -> None:
    assert refusal(upload(("\u00e9.txt", b""), ("e\u0301.txt", b""))).problem_code == (
        "duplicate_name"
    )


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (tarfile.SYMTYPE, "link_refused"),
        (tarfile.LNKTYPE, "link_refused"),
        (tarfile.CHRTYPE, "special_file"),
        (tarfile.BLKTYPE, "special_file"),
        (tarfile.FIFOTYPE, "special_file"),
        (tarfile.GNUTYPE_SPARSE, "special_file"),
        (tarfile.XHDTYPE, "special_file"),
    ],
)
def test_links_devices_and_tar_extensions_are_refused(kind: bytes, code: str) -> None:
    assert refusal(upload((typed("thing", kind), b""))).problem_code == code


def test_folders_in_the_archive_are_harmless() -> None:
    assert sorted(read(upload((typed("pkg", tarfile.DIRTYPE), b""))).files) == [
        "hansard.json",
        "train.py",
    ]


def test_bombs_are_refused_before_they_unpack() -> None:
    bomb = gzip.compress(upload(("zeros", bytes(20 * 1024 * 1024))))
    assert refusal(bomb).problem_code == "not_a_tar"
    claim = tarfile.TarInfo("huge")
    claim.size = 2**60
    header = claim.tobuf(tarfile.GNU_FORMAT)
    assert refusal(header + bytes(1024)).problem_code == "not_a_tar"
    assert refusal(bytes(archive.MAX_BUNDLE_BYTES + 1)).problem_code == "bundle_too_large"
    many = [(f"f{number}", b"") for number in range(archive.MAX_FILES + 1)]
    assert refusal(upload(*many)).problem_code == "too_many_files"
    folders = [(typed("d", tarfile.DIRTYPE), b"")] * (2 * archive.MAX_FILES + 1)
    assert refusal(upload(*folders)).problem_code == "too_many_files"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", bytes(1024), b"x" * 2000, upload()[:600]])
def test_what_is_not_a_whole_tar_is_refused(data: bytes) -> None:
    assert refusal(data).problem_code == "not_a_tar"


def test_bytes_hidden_behind_the_end_of_the_archive_are_refused() -> None:
    assert refusal(upload() + b"hidden").problem_code == "not_a_tar"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": True},
        {"kind": "pickle"},
        {"entry": "train"},
        {"entry": "../train:Train"},
        {"name": ""},
        {"name": "a/b"},
        {"name": "a\0b"},
        {"name": "x" * 300},
        {"name": 7},
        {"description": None},
        {"requirements": "numpy"},
        {"surprise": 1},
    ],
)
def test_a_wrong_manifest_is_refused_naming_the_manifest(changes: dict[str, object]) -> None:
    error = refusal(upload(**changes))
    assert (error.problem_code, error.where) == ("invalid_manifest", "hansard.json")


def test_a_missing_or_unreadable_manifest_is_refused() -> None:
    for data in (tar_of(("train.py", EXECUTOR)), tar_of(("hansard.json", b"[" * 100_000))):
        assert refusal(data).problem_code == "invalid_manifest"


def test_a_source_that_does_not_parse_is_refused_with_file_and_line() -> None:
    error = refusal(upload(("pkg/bad.py", b"x = 1\ndef f(:\n")))
    assert (error.problem_code, error.where) == ("syntax_error", "pkg/bad.py:2")
    assert refusal(upload(("bad.py", b"x = 1\n\xff\n"))).where == "bad.py:2"


@pytest.mark.parametrize(
    "source",
    [
        b"# coding: punycode\nx = 1\n",
        b"x = 1\0\n",
        b"-" * 200_000 + b"1",
        b"(" * 100_000,
        b"a" + b".b" * 100_000,
        b"lambda: " * 50_000 + b"1",
        b"x = 1 " + b"if 1 else 1 " * 50_000,
        b"9" * 100_000,
        b"x = f'" + b"{1}" * 150_000 + b"'",
        b"# " + b"x" * MAX_SOURCE_BYTES,
    ],
)
def test_sources_made_to_break_a_parser_are_refused(source: bytes) -> None:
    assert refusal(upload(("bomb.py", source))).problem_code in ("syntax_error", "source_too_large")


@pytest.mark.parametrize(
    "entry", ["train:Missing", "train:hansard", "nowhere:Train", "json:JSONEncoder"]
)
def test_an_entry_point_that_is_not_there_is_refused(entry: str) -> None:
    assert refusal(upload(entry=entry)).problem_code == "missing_entry"


def test_a_bad_line_of_requirements_txt_is_named(folder: Path) -> None:
    (folder / "requirements.txt").write_text("numpy\n\n-e .\n")
    with pytest.raises(BundleError) as caught:
        pack(folder)
    assert caught.value.where == "requirements.txt:3"
