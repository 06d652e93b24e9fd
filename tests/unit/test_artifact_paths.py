"""Paths within an artifact: safe on every disk, or refused."""

import pytest

from hansard.formats.paths import check_paths
from hansard.formats.problems import BundleError


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b/c.txt",
        ".hidden",
        "..two",
        "a/...",
        "caf\u00e9/\u4e16\u754c.csv",
        "with space (1).txt",
        "a" * 255,
        "/".join(["d" * 100] * 10),
        "a/b:c",
    ],
)
def test_a_plain_relative_path_is_accepted(path: str) -> None:
    check_paths([path])


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a/..",
        "a\\b",
        "C:/windows",
        "C:a",
        "C:\\a",
        "\\\\host\\share",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "\x1b[31m",
        "a\u2028b",
        "a\u2029b",
        "a\ud800b",
        "cafe\u0301",
        "\u212bngstrom",
        "a\x85b",
    ],
)
def test_an_unsafe_path_is_refused(path: str) -> None:
    with pytest.raises(BundleError) as found:
        check_paths(["fine", path])
    assert found.value.problem_code == "unsafe_name"
    found.value.detail.encode()
    str(found.value).encode()


@pytest.mark.parametrize(
    "path",
    ["a" * 256, "\u00e9" * 128, "/".join(["d" * 200] * 6), "\u4e16" * 86],
    ids=["part", "part in bytes", "whole", "three bytes each"],
)
def test_a_path_that_is_too_long_is_refused(path: str) -> None:
    with pytest.raises(BundleError) as found:
        check_paths([path])
    assert found.value.problem_code == "name_too_long"


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "a"],
        ["README", "readme"],
        ["d/a", "D/A"],
        ["stra\u00dfe", "STRASSE"],
        ["\u0130", "i\u0307"],
        ["a", "a/b"],
        ["A", "a/b"],
        ["a/b/c", "A/B"],
        ["x/y/z/w", "x/y"],
    ],
)
def test_paths_that_a_disk_may_take_for_one_are_refused(paths: list[str]) -> None:
    for order in (paths, paths[::-1]):
        with pytest.raises(BundleError) as found:
            check_paths(order)
        assert found.value.problem_code == "duplicate_name"


def test_the_beginning_of_a_name_is_no_folder() -> None:
    check_paths(["a", "ab/c", "a.b", "b/a", "b/ab"])
