"""What `hansard audit` refuses before it reads anything: exit code 2, and why."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from api.cli import register

APP = typer.Typer()
register(APP)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["verify", "--from", "5", "--to", "4"], "--to is before --from"),
        (["verify", "--key", "nonsense"], "not a"),
        (["verify", "--checkpoint", "FILE"], "not a signed note"),
        (["verify", "--checkpoint", "FILE/none"], "FILE/none"),
        (["keys", "--lost"], "--lost goes with --rotate"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], why: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("anything")
    given = [each.replace("FILE", str(file)) for each in arguments]
    result = CliRunner().invoke(APP, ["audit", *given, "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert why.replace("FILE", str(file)) in result.stderr
