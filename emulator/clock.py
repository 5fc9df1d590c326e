"""The one reader of the clock.

Everything in the emulator that needs the time is handed a `Clock`, so that it can be moved: by a
test, or from outside while the emulator runs. Wall time is what the vendor's protocols show;
waiting is measured on the event loop's own monotonic clock, which a stepped wall clock does not
disturb.
"""

from datetime import UTC, datetime, timedelta


class Clock:
    """Wall time in UTC."""

    def now(self) -> datetime:
        """The present instant, with its zone, in microseconds."""
        return datetime.now(UTC)


class SteppedClock(Clock):
    """Wall time that goes on and can be stepped, as when somebody sets the machine's clock."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class ManualClock(Clock):
    """A clock that stands still until it is moved: for tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the clock by a span, which may be negative (a stepped wall clock)."""
        self._now += by
