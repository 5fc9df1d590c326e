"""Timer schedules: NCRONTAB with five or six fields, or a fixed interval.

Answers "when is the next occurrence". The fields are read as NCRONTAB has them, which is less than
other crons (no `L`, `#`, `?`, no Sunday as 7) and not the same (a day must fit both of its fields,
`FRI-MON` is Monday to Friday); the arithmetic is croniter's. Pure: handed the time.

Source: the timer trigger's reference. A schedule is read in the zone of `WEBSITE_TIME_ZONE`, else
UTC; DIFFERS: an hour that daylight saving skips or repeats is left to croniter's reading.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from emulator.host.durations import parse_time_span
from emulator.host.errors import FunctionInError


@dataclass(frozen=True)
class Schedule:
    """When a timer fires: an interval in seconds, or cron fields with the seconds first."""

    interval_s: float | None
    cron: str | None
    zone: ZoneInfo | None = None

    def next_after(self, instant: datetime) -> datetime:
        """The first occurrence after an instant, in UTC."""
        if self.cron is None or self.interval_s is not None:
            return instant + timedelta(seconds=self.interval_s or 0)
        local = instant.astimezone(self.zone or UTC)
        return _next(self.cron, local).astimezone(UTC)

    def is_frequent(self, instant: datetime) -> bool:
        """Whether two occurrences are less than a minute apart; such timers are not monitored."""
        first = self.next_after(instant)
        return self.next_after(first) - first < timedelta(minutes=1)


def parse_schedule(text: str, zone: str | None = None) -> Schedule:
    """Read a schedule.

    Raises:
        FunctionInError: it is neither cron fields nor a time span, or the zone is unknown.
    """
    fields = text.split()
    if len(fields) == 1 and ":" in text:
        try:
            interval = parse_time_span(text)
        except ValueError as error:
            raise _invalid(text) from error
        if interval <= 0:
            raise _invalid(text)
        return Schedule(interval, None)
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != len(_FIELDS):
        raise _invalid(text)
    try:
        cron = " ".join(each.read(field) for each, field in zip(_FIELDS, fields, strict=True))
        _next(cron, datetime(2024, 1, 1, tzinfo=UTC))
    except (CroniterError, ValueError) as error:
        raise _invalid(text) from error
    return Schedule(None, cron, _zone(zone))


def _next(cron: str, local: datetime) -> datetime:
    found: datetime = croniter(cron, local, second_at_beginning=True, day_or=False).get_next(
        datetime
    )
    return found


@dataclass(frozen=True)
class _Field:
    """One field: its bounds, and names for its values where it has some."""

    least: int
    most: int
    names: tuple[str, ...] = ()

    def read(self, text: str) -> str:
        """The field as a plain list of numbers; raises ValueError."""
        values: set[int] = set()
        for item in text.split(","):
            span, slash, step = item.partition("/")
            first, dash, last = span.partition("-")
            if first == "*" and not dash:
                low, high = self.least, self.most
            else:
                low = self._value(first)
                high = self._value(last) if dash else self.most if slash else low
            low, high = min(low, high), max(low, high)
            values.update(range(low, high + 1, max(1, int(step)) if slash else 1))
        if not all(self.least <= value <= self.most for value in values):
            raise ValueError(f"{text} is outside of {self.least} to {self.most}")
        return ",".join(str(value) for value in sorted(values))

    def _value(self, text: str) -> int:
        if text.isdecimal() and text.isascii():
            return int(text)
        named = (index for index, name in enumerate(self.names) if name.startswith(text.lower()))
        found = next(named, None) if text else None
        if found is None:
            raise ValueError(f"'{text}' is no value of the field")
        return self.least + found


_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FIELDS = (
    *(_Field(0, 59), _Field(0, 59), _Field(0, 23), _Field(1, 31)),
    *(_Field(1, 12, _MONTHS), _Field(0, 6, _DAYS)),
)


def _zone(name: str | None) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise FunctionInError(f"The time zone '{name}' of WEBSITE_TIME_ZONE is unknown.") from error


def _invalid(text: str) -> FunctionInError:
    return FunctionInError(
        f"The schedule expression '{text}' was not recognized as a valid cron expression or "
        "timespan string."
    )
