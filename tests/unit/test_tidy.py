"""House rules that no linter checks, over all Python files that git knows or would take."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
_UNFINISHED = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|XX" + "X|HA" + r"CK)\b")


@cache
def python_files() -> tuple[Path, ...]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = tuple(ROOT / name for name in listed.splitlines())
    return tuple(file for file in files if file.exists())


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """The syntax tree of each file, by its path in the repository."""
    return {str(file.relative_to(ROOT)): ast.parse(file.read_bytes()) for file in python_files()}


def test_files_are_short() -> None:
    long = [
        f"{file.relative_to(ROOT)}: {lines}"
        for file in python_files()
        if (lines := file.read_bytes().count(b"\n")) > MAX_FILE_LINES
    ]
    assert long == []


def test_functions_are_short(trees: dict[str, ast.Module]) -> None:
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == []


def test_every_module_says_what_it_is_in_one_to_three_lines_first(
    trees: dict[str, ast.Module],
) -> None:
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_nothing_is_marked_as_unfinished() -> None:
    marked = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in python_files()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if _UNFINISHED.search(line)
    ]
    assert marked == []


def test_policies_take_nothing_of_psycopg_but_the_composition_of_sql(
    trees: dict[str, ast.Module],
) -> None:
    imported = {
        (name, module)
        for name, tree in trees.items()
        if name.startswith("policies/")
        for module in _imported(tree)
        if module.partition(".")[0] in ("psycopg", "psycopg_pool")
    }
    assert {module for _, module in imported} <= {"psycopg.sql"}, imported


def _imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {module if module.count(".") < 2 else module.rpartition(".")[0] for module in found}


def test_the_rule_for_psycopg_tells_its_parts_apart() -> None:
    source = "from psycopg import sql, rows\nfrom psycopg.sql import SQL\nimport psycopg"
    assert _imported(ast.parse(source)) == {"psycopg.sql", "psycopg.rows", "psycopg"}


def test_no_file_names_a_machine(trees: dict[str, ast.Module]) -> None:
    places = re.compile("/" + r"(home|Users|work)/\w+/")
    assert [name for name in trees if places.search((ROOT / name).read_text())] == []
