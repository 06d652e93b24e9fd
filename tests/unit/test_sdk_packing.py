"""What is packed of a folder: patterns, settings, and packages from beside it."""

import json
from pathlib import Path

import pytest

from hansard.formats import archive
from hansard.formats.bundle import BundleError, pack, read

EXECUTOR = "import hansard\n\nclass Train(hansard.Executor):\n    pass\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(
        tmp_path / "project",
        {
            "train.py": EXECUTOR,
            "lib/data/table.py": "",
            "data/images.bin": "x",
            "venv/lib/x.py": "",
            ".venv/lib/x.py": "",
            ".git/config": "",
            "lib/__pycache__/x.pyc": "",
            "notes/a.txt": "",
            "notes/b.md": "",
        },
    )


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def packed(folder: Path) -> set[str]:
    return read(pack(folder).data).files.keys() - {"hansard.json", "pyproject.toml"}


def refused(folder: Path) -> BundleError:
    with pytest.raises(BundleError) as caught:
        pack(folder)
    return caught.value


def settings(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.hansard]\n{text}\n")


def test_what_tools_and_data_leave_is_not_packed_but_code_below_a_data_folder_is(
    folder: Path,
) -> None:
    assert packed(folder) == {"train.py", "lib/data/table.py", "notes/a.txt", "notes/b.md"}


def test_a_pattern_brings_back_what_is_left_out_but_never_a_hidden_file(folder: Path) -> None:
    (folder / ".hansardignore").write_text("# mine\nnotes/\n!/data/\n!.git/\n!.venv/\n")
    assert packed(folder) == {"train.py", "lib/data/table.py", "data/images.bin"}


def test_patterns_are_those_of_gitignore(folder: Path) -> None:
    (folder / ".hansardignore").write_text("/notes/*\n!/notes/*.md\n**/table.py\n")
    assert packed(folder) == {"train.py", "notes/b.md"}


def test_pyproject_says_what_to_include_and_what_to_exclude(folder: Path) -> None:
    settings(folder, 'include = ["*.py", "/notes/"]\nexclude = ["*.md"]')
    assert packed(folder) == {"train.py", "lib/data/table.py", "notes/a.txt"}
    for wrong in ('include = "*.py"', "exclude = [1]", 'exclude = ["!"]', "surprise = 1"):
        settings(folder, wrong)
        assert refused(folder).problem_code == "invalid_manifest"


def test_a_link_is_refused_only_where_it_would_be_packed(folder: Path) -> None:
    (folder / "link.txt").symlink_to("/etc/passwd")
    assert refused(folder).problem_code == "link_refused"
    settings(folder, 'include = ["*.py"]')
    assert packed(folder) == {"train.py", "lib/data/table.py"}


def test_dependencies_of_a_project_are_requirements_unless_they_are_listed_elsewhere(
    folder: Path,
) -> None:
    (folder / "pyproject.toml").write_text('[project]\ndependencies = ["numpy>=2"]\n')
    assert pack(folder).manifest.requirements == ("numpy>=2",)
    (folder / "requirements.txt").write_text("polars\n")
    assert pack(folder).manifest.requirements == ("polars",)


@pytest.fixture
def common(folder: Path) -> Path:
    settings(folder, 'packages = ["../common"]')
    files = {"__init__.py": "", "losses.py": "x = 1\n", ".env": "TOKEN=1", "data/big": "x"}
    return tree(folder.parent / "common", files)


def test_a_package_beside_the_project_is_packed_under_its_name_and_told_of(
    folder: Path, common: Path
) -> None:
    bundle = pack(folder)
    assert {"common/__init__.py", "common/losses.py"} <= packed(folder)
    assert not {"common/.env", "common/data/big"} & packed(folder)
    assert list(bundle.manifest.packages) == ["common"]
    (common / "losses.py").write_text("x = 2\n")
    assert pack(folder).manifest.packages != bundle.manifest.packages
    assert pack(folder).digest != bundle.digest


def test_a_bundle_whose_package_is_not_what_it_says_is_refused(folder: Path, common: Path) -> None:
    files = read(pack(folder).data).files
    with pytest.raises(BundleError, match="common"):
        read(archive.encode({**files, "common/losses.py": b"x = 3\n"}))
    manifest = json.loads(files["hansard.json"])
    for packages in ({"common": "0" * 63}, {"json": "0" * 64}, ["common"], {"a/b": "0" * 64}):
        odd = json.dumps({**manifest, "packages": packages}).encode()
        with pytest.raises(BundleError) as caught:
            read(archive.encode({**files, "hansard.json": odd}))
        assert caught.value.problem_code == "invalid_manifest"


def test_a_bundle_without_packages_has_the_manifest_of_before_there_were_any(folder: Path) -> None:
    assert "packages" not in json.loads(read(pack(folder).data).files["hansard.json"])


@pytest.mark.parametrize("path", ["../nothing", "..", ".", "../json", "../a-b", "../link"])
def test_what_cannot_be_a_package_is_refused(folder: Path, common: Path, path: str) -> None:
    for name in ("json", "a-b"):
        tree(common.parent / name, {"__init__.py": ""})
    (common.parent / "link").symlink_to(common)
    settings(folder, f'packages = ["{path}"]')
    assert refused(folder).problem_code == "invalid_manifest"


def test_a_package_that_the_project_has_itself_or_twice_or_with_links_is_refused(
    folder: Path, common: Path
) -> None:
    settings(folder, 'packages = ["../common", "../other/common"]')
    tree(common.parent / "other" / "common", {"__init__.py": ""})
    assert "two packages" in refused(folder).detail
    settings(folder, 'packages = ["../common"]')
    (folder / "common.py").write_text("")
    assert refused(folder).problem_code == "duplicate_name"
    (folder / "common.py").unlink()
    (common / "link").symlink_to("/etc/passwd")
    assert refused(folder).problem_code == "link_refused"


def test_packages_count_towards_the_size_of_the_bundle(folder: Path, common: Path) -> None:
    (common / "huge.bin").write_bytes(bytes(archive.MAX_UNPACKED_BYTES))
    assert refused(folder).problem_code == "bundle_too_large"
