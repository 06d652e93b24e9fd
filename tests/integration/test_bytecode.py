"""Bytecode of environments: by the text of a source, shared, and never what a wheel brings."""

import subprocess
import sys
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

from infra.environments.bytecode import add_bytecode, drop_unused

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes environments with these modules; answers the folder that they lie in."""

    def make(name: str, **modules: str) -> Path:
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python").symlink_to(sys.executable)
        modules_in = tmp_path / name / "lib" / "package"
        modules_in.mkdir(parents=True)
        for module, text in modules.items():
            (modules_in / f"{module}.py").write_text(text)
        return modules_in

    return make


def compiled(modules_in: Path, name: str) -> Path:
    return Path(cache_from_source(str(modules_in / f"{name}.py")))


def said(modules_in: Path, name: str) -> str:
    command = [sys.executable, "-B", "-c", f"import {name}"]
    done = subprocess.run(command, cwd=modules_in, capture_output=True, text=True, check=True)
    return done.stdout


def test_equal_sources_share_bytecode_that_knows_its_place(tmp_path: Path, make: Make) -> None:
    text = "print(__file__, (lambda: 0).__code__.co_filename)"
    first, second = make("first", a=text, b="x = 1"), make("second", c=text)
    for environment in ("first", "second"):
        add_bytecode(tmp_path / environment, tmp_path / "cache")
    assert compiled(first, "a").samefile(compiled(second, "c"))
    assert compiled(first, "b").exists()
    (second / "c.py").write_text("print('compiled anew')")
    assert said(second, "c").split() == [str(second / "c.py")] * 2


def test_bytecode_of_a_wheel_is_neither_used_nor_given_to_others(
    tmp_path: Path, make: Make
) -> None:
    hostile, honest = make("hostile", a="print('a')"), make("honest", a="print('a')")
    forged = compiled(hostile, "a")
    forged.parent.mkdir()
    forged.write_bytes(MAGIC_NUMBER + bytes(12) + b"forged")
    for environment in ("hostile", "honest"):
        add_bytecode(tmp_path / environment, tmp_path / "cache")
    for modules_in in (hostile, honest):
        assert b"forged" not in compiled(modules_in, "a").read_bytes()
        assert said(modules_in, "a") == "a\n"


def test_what_does_not_compile_has_no_bytecode_and_stops_nothing(
    tmp_path: Path, make: Make
) -> None:
    modules_in = make("old", a="print 'of another Python'", b="")
    add_bytecode(tmp_path / "old", tmp_path / "cache")
    assert [compiled(modules_in, name).exists() for name in "ab"] == [False, True]


def test_bytecode_that_no_environment_has_any_more_is_dropped(tmp_path: Path, make: Make) -> None:
    modules_in = make("only", a="x = 1")
    add_bytecode(tmp_path / "only", tmp_path / "cache")
    drop_unused(tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*/*/*"))) == 1
    compiled(modules_in, "a").unlink()
    drop_unused(tmp_path / "cache")
    assert list((tmp_path / "cache").glob("*/*/*")) == []
