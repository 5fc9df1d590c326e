"""Stops a hub in the middle of one chosen commit, as a killed process would.

The writer's thread is held at the commit's fault point while the engine is stopped, so nothing that
the commit brings is heard of. Held in its middle or before it, it is undone; held after it, it
stays.
"""

import asyncio
import threading

from emulator.faults import Faults, InjectedFault


class CrashFaults(Faults):
    """Faults that hold the passage number `number` (from 0) of `taskhub.commit.<when>`."""

    def __init__(self, when: str, number: int) -> None:
        super().__init__()
        self._point = f"taskhub.commit.{when}"
        self._undo = when != "after"
        self._left = number
        self._dead = False
        self._loop = asyncio.get_running_loop()
        self._go_on = threading.Event()
        self.reached = asyncio.Event()

    def is_watched(self, point: str) -> bool:
        return point == self._point

    def at_sync(self, point: str, **labels: str) -> bool:
        if self._dead and not point.endswith("after"):
            raise InjectedFault("The process is dead.")
        if point == self._point and not self._dead:
            if self._left == 0:
                self._dead = True
                self._loop.call_soon_threadsafe(self.reached.set)
                self._go_on.wait(20)
                if self._undo:
                    raise InjectedFault("The process died.")
            self._left -= 1
        return super().at_sync(point, **labels)

    def bury(self) -> None:
        """Let the held thread go on, once nobody listens any more."""
        self._dead = True
        self._go_on.set()
