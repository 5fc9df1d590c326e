"""Which lines of the host's log are shown."""

from datetime import UTC, datetime
from io import StringIO

import pytest

from emulator.clock import ManualClock
from emulator.host.log import ERROR, INFORMATION, WARNING, Log
from emulator.host.worker_log import app_line
from emulator.host.worker_model import LogLine

CLOCK = ManualClock(datetime(2024, 1, 1, 0, 0, 0, 7000, tzinfo=UTC))


def test_line_carries_the_time_in_utc() -> None:
    stream = StringIO()
    console = Log(CLOCK, stream=stream)
    console.info("hello", "Function.f")
    console.close()
    assert stream.getvalue() == "[2024-01-01T00:00:00.007Z] hello\n"


@pytest.mark.parametrize(
    ("options", "levels", "category", "level", "shown"),
    [
        ({}, {}, "Function.f", INFORMATION, True),
        ({}, {}, "Host.General", INFORMATION, False),
        ({}, {}, "Host.General", WARNING, True),
        ({"verbose": True}, {}, "Host.General", INFORMATION, True),
        ({"quiet": True}, {}, "Function.f", INFORMATION, False),
        ({"quiet": True}, {}, "Function.f", WARNING, True),
        ({}, {"default": "Error"}, "Function.f", WARNING, False),
        ({}, {"default": "Error", "Function": "Debug"}, "Function.f", INFORMATION, True),
        ({}, {"Function.f.User": "None"}, "Function.f.User", ERROR, False),
        ({}, {"Function.f.User": "None"}, "Function.f", INFORMATION, True),
        ({}, {"Host.General": "Information"}, "Host.General", INFORMATION, True),
    ],
)
def test_filter(
    options: dict[str, bool], levels: dict[str, str], category: str, level: int, shown: bool
) -> None:
    log = Log(CLOCK, levels, stream=StringIO(), **options)
    assert log.shows(level, category) is shown
    log.close()


def test_lines_of_the_app_are_its_functions_own() -> None:
    stream = StringIO()
    log = Log(CLOCK, {"Function.f.User": "Warning"}, stream=stream)
    app_line(log, LogLine("i", "f", "Information", "root", "filtered"))
    app_line(log, LogLine("i", "f", "Error", "root", "shown"))
    app_line(log, LogLine(None, None, "Information", "root", "of nobody"))
    log.close()
    assert "filtered" not in stream.getvalue()
    assert "shown" in stream.getvalue()
    assert "of nobody" in stream.getvalue()
