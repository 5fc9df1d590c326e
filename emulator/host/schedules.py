"""Timer schedules: NCRONTAB with five or six fields, or a fixed interval.

Answers "when is the next occurrence". The cron arithmetic is croniter's. Pure: handed the time.

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
        following = croniter(self.cron, local, second_at_beginning=True).get_next(datetime)
        return following.astimezone(UTC)

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
    if len(fields) != 6:
        raise _invalid(text)
    cron = " ".join(fields)
    try:
        croniter(cron, datetime(2024, 1, 1, tzinfo=UTC), second_at_beginning=True).get_next(
            datetime
        )
    except (CroniterError, ValueError, KeyError) as error:
        raise _invalid(text) from error
    return Schedule(None, cron, _zone(zone))


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
