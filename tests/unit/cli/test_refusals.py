"""What the command line refuses before it asks anybody, without telling a secret, and how it says
what was refused or could not be written."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import exit_codes
from cli.app import app
from cli.client import ApiError
from cli.context import explain

FULL = Path("/dev/full")


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


def test_version_is_the_packages() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"orders {version('durable-orders')}\n")


def test_a_fault_that_is_the_whole_detail_is_told_once_and_others_each() -> None:
    one = {"field": "reason", "message": "It is a text."}
    other = {"field": "ids", "message": "It is a list."}
    same = {"title": "Malformed", "detail": "reason: It is a text.", "errors": [one]}
    assert explain(ApiError(400, same, None)) == "400 Malformed: reason: It is a text."
    many = {"title": "Malformed", "detail": "2 faults.", "errors": [one, other]}
    assert explain(ApiError(400, many, None)).splitlines() == [
        "400 Malformed: 2 faults.",
        "  reason: It is a text.",
        "  ids: It is a list.",
    ]


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_output_that_cannot_be_written_is_one_line() -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(
            (sys.executable, "-m", "cli", "--url", "http://127.0.0.1:9", "doctor"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == exit_codes.NOT_ALL_WELL
    assert ended.stderr == "orders: Cannot write: No space left on device.\n"
