"""What is installed says its version."""

from typer.testing import CliRunner

import hansard.cli


def test_the_version_is_printed_and_nothing_else() -> None:
    ended = CliRunner().invoke(hansard.cli.build_app(joined=False), ["--version"])
    assert (ended.exit_code, ended.stdout) == (0, "hansard 0.1.0\n")
