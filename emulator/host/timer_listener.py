"""Fires a timer trigger: at its schedule, at start, and for an occurrence that was missed.

Occurrences of one timer never overlap: the next is planned when the one before has ended. What was
last done is kept on disk for timers that are monitored (a minute apart or more), so that a restart
knows of a missed occurrence. A failure is not retried but by `@app.retry`.

Source: the timer extension; the state file holds its members.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from emulator.clock import Clock
from emulator.host.functions import Function
from emulator.host.invocations import Invocations, Request
from emulator.host.log import Log
from emulator.host.metadata import timer
from emulator.host.schedules import Schedule

# .NET's first instant: when a timer that has never run last did.
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
# Waits are cut so that a moved wall clock is noticed.
_LONGEST_WAIT_S = 60.0


class TimerListener:
    """The listener of one timer.

    Args:
        state_path: where the last occurrence is kept.
    """

    def __init__(
        self,
        function: Function,
        schedule: Schedule,
        state_path: Path,
        *,
        invocations: Invocations,
        clock: Clock,
        log: Log,
    ) -> None:
        self._function = function
        self._schedule = schedule
        self._state_path = state_path
        self._invocations = invocations
        self._clock = clock
        self._log = log
        trigger = function.trigger
        self._run_on_startup = trigger.flag("runOnStartup")
        self._is_monitored = trigger.flag("useMonitor", default=True) and not schedule.is_frequent(
            clock.now()
        )
        self._task: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to keep the schedule."""
        self._task = asyncio.create_task(self._keep(), name=f"timer {self._function.name}")

    async def stop(self) -> None:
        """Fire no more, and wait for the occurrence that runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)

    async def _keep(self) -> None:
        last, following = self._read_state()
        now = self._clock.now()
        if self._is_monitored and following is not None and following < now:
            last, following = await self._fire(following, last, is_past_due=True)
        elif self._run_on_startup:
            last, following = await self._fire(now, last, is_past_due=False)
        if following is None or following < now:
            following = self._schedule.next_after(now)
            self._write_state(last, following)
        while True:
            await self._wait_until(following)
            last, following = await self._fire(following, last, is_past_due=False)

    async def _wait_until(self, instant: datetime) -> None:
        while (left := (instant - self._clock.now()).total_seconds()) > 0:  # noqa: ASYNC110 - time, not an event, is waited for
            await asyncio.sleep(min(left, _LONGEST_WAIT_S))

    async def _fire(
        self, due: datetime, last: datetime, *, is_past_due: bool
    ) -> tuple[datetime, datetime]:
        """Run one occurrence to its end; returns when it was, and when the next is."""
        status = None
        if self._is_monitored:
            status = _status(last, due, last)
        request = Request(
            function=self._function,
            trigger=timer(
                is_past_due=is_past_due, status=status, adjust=self._schedule.cron is not None
            ),
            reason=f"Timer fired at {self._clock.now().isoformat()}",
        )
        self._running = asyncio.create_task(self._run(request))
        # Shielded: a stop lets the occurrence in flight come to its end.
        await asyncio.shield(self._running)
        now = self._clock.now()
        following = self._schedule.next_after(max(now, due))
        self._write_state(due, following)
        return due, following

    async def _run(self, request: Request) -> None:
        await self._invocations.run_with_retries(request)

    def _read_state(self) -> tuple[datetime, datetime | None]:
        if not self._is_monitored or not self._state_path.exists():
            return _NEVER, None
        try:
            state = json.loads(self._state_path.read_text(encoding="utf-8"))
            return datetime.fromisoformat(state["Last"]), datetime.fromisoformat(state["Next"])
        except (ValueError, KeyError, TypeError) as error:
            self._log.warning(
                f"The state of timer '{self._function.name}' cannot be read and starts anew: "
                f"{error}",
                "Host.Listener",
            )
            return _NEVER, None

    def _write_state(self, last: datetime, following: datetime) -> None:
        if not self._is_monitored:
            return
        fresh = self._state_path.with_suffix(".new")
        try:
            self._state_path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(_status(last, following, last)), encoding="utf-8")
            fresh.replace(self._state_path)
        except OSError as error:
            # The schedule goes on; a restart may not know of this occurrence.
            self._log.error(
                f"The state of timer '{self._function.name}' cannot be kept: {error}",
                "Host.Listener",
            )


def _status(last: datetime, following: datetime, updated: datetime) -> Mapping[str, str]:
    return {
        "Last": last.isoformat(),
        "Next": following.isoformat(),
        "LastUpdated": updated.isoformat(),
    }
