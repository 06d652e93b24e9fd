"""The page on logging tells of every function, and its examples run."""

import re
from pathlib import Path

import pytest

import hansard
from hansard import media, run_log
from hansard.media import files as media_files
from tests.unit.step_items import listed

PAGE = (Path(__file__).parents[2] / "docs/logging.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_and_logs_what_it_says(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(run_log.STEP_DIR_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/logging.md", "exec"), {})
    calls = len(re.findall(r"^hansard\.log_", example, re.MULTILINE))
    assert calls == (len(listed(tmp_path)) if calls else 0)


def test_every_function_has_an_example() -> None:
    functions = {name for name in vars(media) if name.startswith("log_")}
    assert functions <= set(hansard.__all__)
    assert set(re.findall(r"^hansard\.(log_\w+)", "".join(EXAMPLES), re.MULTILINE)) == functions


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    gib = 1024**3
    stated = (
        f"at most {media_files.MAX_ITEMS:,} items and {media_files.MAX_ITEMS_BYTES // gib} GiB, "
        f"an item has at most {media_files.MAX_ITEM_BYTES // gib} GiB"
    )
    assert stated in PAGE
