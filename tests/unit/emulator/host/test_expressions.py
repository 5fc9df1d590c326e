"""Binding expressions and schedules."""

import uuid
from datetime import UTC, datetime

import pytest

from emulator.host.errors import FunctionInError, MissingBindingValue
from emulator.host.expressions import bind, check_expression, has_expression
from emulator.host.schedules import parse_schedule

NOW = datetime(2024, 3, 4, 5, 6, 7, tzinfo=UTC)
DATA = {
    "id": "7",
    "Query": {"code": "c"},
    "body": {"part": {"n": 5}, "flag": True},
    "text": '{"inner": "x"}',
    "when": "2024-12-31T10:00:00Z",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("items/{ID}", "items/7"),
        ("{query.CODE}", "c"),
        ("{body.part.n}-{body.flag}", "5-True"),
        ("{body.part}", '{"n":5}'),
        ("{text.inner}", "x"),
        ("{when:yyyy-MM}", "2024-12"),
        ("{DateTime}", "2024-03-04T05-06-07Z"),
        ("{datetime:yyyyMMdd}", "20240304"),
        ("{sys.methodname}", "fn"),
        ("plain", "plain"),
    ],
)
def test_values_are_put_in(text: str, value: str) -> None:
    assert bind(text, DATA, function="fn", now=NOW) == value


def test_new_ids_are_new() -> None:
    first, second = (bind("{rand-guid}", {}, function="f", now=NOW) for _ in range(2))
    assert uuid.UUID(first) != uuid.UUID(second)


@pytest.mark.parametrize("text", ["{nope}", "{body.nope}", "{id.more}"])
def test_missing_value_has_the_vendors_text(text: str) -> None:
    with pytest.raises(MissingBindingValue, match="No value for named parameter"):
        bind(text, DATA, function="f", now=NOW)


@pytest.mark.parametrize("text", ["{open", "close}", "{}"])
def test_lonely_brace_is_refused(text: str) -> None:
    with pytest.raises(FunctionInError):
        check_expression(text)
    assert not has_expression(text)


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        ("0 */5 * * * *", "2024-03-04T05:10:00+00:00"),
        ("*/5 * * * *", "2024-03-04T05:10:00+00:00"),
        ("30 0 9 * * Mon-Fri", "2024-03-04T09:00:30+00:00"),
        ("0 0 0 1 Jan *", "2025-01-01T00:00:00+00:00"),
        ("*/2 * * * * *", "2024-03-04T05:06:08+00:00"),
        ("0 10/20 * * * *", "2024-03-04T05:10:00+00:00"),
        ("0 0 0 * JANUARY,Jul *", "2024-07-01T00:00:00+00:00"),
        # The first Monday of a month: a day must fit both fields.
        ("0 0 9 1-7 * MON", "2024-03-04T09:00:00+00:00"),
        ("0 0 9 13 * Friday", "2024-09-13T09:00:00+00:00"),
        # The ends of a span may come in any order.
        ("0 0 0 * * FRI-MON", "2024-03-05T00:00:00+00:00"),
        ("0 0 0 * * sat-sun", "2024-03-05T00:00:00+00:00"),
        ("0 0 0 * * 0", "2024-03-10T00:00:00+00:00"),
        ("00:00:30", "2024-03-04T05:06:37+00:00"),
        ("1.00:00:00", "2024-03-05T05:06:07+00:00"),
    ],
)
def test_next_occurrence(schedule: str, following: str) -> None:
    assert parse_schedule(schedule).next_after(NOW).isoformat() == following


def test_schedule_is_read_in_its_zone() -> None:
    schedule = parse_schedule("0 0 9 * * *", "Europe/Paris")
    assert schedule.next_after(NOW).isoformat() == "2024-03-04T08:00:00+00:00"


@pytest.mark.parametrize(
    ("schedule", "is_frequent"), [("*/30 * * * * *", True), ("0 * * * * *", False)]
)
def test_timers_less_than_a_minute_apart_are_frequent(schedule: str, is_frequent: bool) -> None:
    assert parse_schedule(schedule).is_frequent(NOW) is is_frequent


@pytest.mark.parametrize(
    "schedule",
    [
        *("", "whenever", "* * *", "61 * * * * *", "-00:01:00", "25:00", "@daily x x x x"),
        *("0 0 0 L * *", "0 0 0 ? * *", "0 0 0 * * MON#1", "0 0 0 * * 7", "0 0 0 * X *"),
        *("0 0 0 31 2 *", "0 0 0 *-2 * *", "0 0 0 1,,2 * *", "0 0 0 1- * *", "*/x * * * * *"),
    ],
)
def test_unreadable_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(FunctionInError, match="was not recognized"):
        parse_schedule(schedule)


def test_unknown_zone_is_refused() -> None:
    with pytest.raises(FunctionInError, match="Mars/Base"):
        parse_schedule("0 0 9 * * *", "Mars/Base")
