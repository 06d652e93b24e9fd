"""The reference pages say what the code says: every setting, every problem code."""

from pathlib import Path

from api.problems import CODES
from infra.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    """The table rows of a page that begin with a code span, as cells."""
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:3] == "| `"]


def test_the_page_of_settings_lists_each_one_with_default_and_meaning() -> None:
    expected = [
        [f"`HANSARD_{name.upper()}`", _shown(field.default), field.description]
        for name, field in Settings.model_fields.items()
    ]
    assert rows("settings.md") == expected


def test_the_page_of_problems_lists_each_code_with_its_meaning() -> None:
    assert rows("problems.md") == [[f"`{code}`", meaning] for code, meaning in CODES.items()]


def _shown(default: object) -> str:
    return "empty" if default == "" else f"`{default}`"
