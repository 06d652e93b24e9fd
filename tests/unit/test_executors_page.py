"""docs/executors.md names every role and every executor that comes with the platform."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from hansard import roles
from hansard.formats.bundle import pack

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "executors.md").read_text()
BUNDLES = sorted(path.parent for path in (ROOT / "examples").glob("*/*/pyproject.toml"))


def table(heading: str) -> set[str]:
    """The names in the first column of the table below a heading."""
    below = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", below, re.MULTILINE))


def test_the_page_names_what_is_there() -> None:
    assert table("Roles that come with the SDK") == {
        name for name, each in vars(roles).items() if getattr(each, "_is_protocol", False)
    } - {"Protocol"}
    executors = {path.name for path in BUNDLES if path.parent.name == "executors"}
    assert table("Executors that come with the source") == executors


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_example_can_be_packed_with_a_description_and_what_it_needs(folder: Path) -> None:
    manifest = pack(folder).manifest
    settings = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["hansard"]
    assert manifest.name == settings["name"]
    assert settings["description"]
    assert manifest.requirements
    module = folder / f"{manifest.entry.partition(':')[0]}.py"
    assert ast.get_docstring(ast.parse(module.read_text()))
