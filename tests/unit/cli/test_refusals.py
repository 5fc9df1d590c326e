"""What the command line refuses before it asks anybody, without telling a secret."""

import pytest
from typer.testing import CliRunner

from cli import exit_codes
from cli.app import app


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--key", "geheim\u00e9", "list"], "printable ASCII"),
        (["--key", "geheim\nb", "list"], "printable ASCII"),
        (["--token", "geheim\nb", "list"], "printable ASCII"),
        (["--url", "http://", "list"], "and a host"),
        (["--url", "ftp://x", "list"], "and a host"),
        (["show", ""], "must not be empty"),
        (["status", ""], "must not be empty"),
        (["replay", "", "--reason", "x"], "must not be empty"),
    ],
)
def test_what_cannot_be_sent_is_a_usage_error(words: list[str], says: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == exit_codes.USAGE
    assert says in result.output
    assert "geheim" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
