"""The one reader of the clock.

Everything in the emulator that needs the time is handed a `Clock`, so that a test can move it.
Wall time is what the vendor's protocols show; waiting is measured on the event loop's own
monotonic clock, which a stepped wall clock does not disturb.
"""

from datetime import UTC, datetime, timedelta


class Clock:
    """Wall time in UTC."""

    def now(self) -> datetime:
        """The present instant, with its zone, in microseconds."""
        return datetime.now(UTC)


class ManualClock(Clock):
    """A clock that stands still until it is moved: for tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the clock by a span, which may be negative (a stepped wall clock)."""
        self._now += by
