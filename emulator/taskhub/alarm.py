"""Wakes instances when their timers are due: one heap, one pending call on the event loop.

What is due is decided by the wall clock, since that is what timers are written in; the loop's own
clock only measures how long to wait. A wall clock that is stepped is noticed within seconds.
"""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from emulator.clock import Clock
from emulator.taskhub.times import to_micros

# The longest wait at a stretch: a stepped wall clock is noticed after it.
_LONGEST_S = 10.0


class Alarm:
    """Args: clock: tells what is due. ring: called with the id of each instance that is."""

    def __init__(self, clock: Clock, ring: Callable[[str], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._heap: list[tuple[int, str]] = []
        self._call: asyncio.TimerHandle | None = None
        self._stopped = False

    def set(self, due: int, instance_id: str) -> None:
        """Ring for this instance when it is due, late rather than never."""
        heappush(self._heap, (due, instance_id))
        if self._heap[0] == (due, instance_id):
            self._arm()

    def check(self) -> None:
        """Ring for all that is due. Also after the clock was moved."""
        now = to_micros(self._clock.now())
        while self._heap and self._heap[0][0] <= now:
            self._ring(heappop(self._heap)[1])
        self._arm()

    def stop(self) -> None:
        """Ring no more."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()

    def _arm(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._heap and not self._stopped:
            wait_s = (self._heap[0][0] - to_micros(self._clock.now())) / 1e6
            loop = asyncio.get_running_loop()
            self._call = loop.call_later(min(max(wait_s, 0.0), _LONGEST_S), self.check)
