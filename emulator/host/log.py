"""Writes the host's log lines: `[2024-01-01T00:00:00.000Z] text`.

Lines are gathered and handed to a thread of its own a few times a second, so that a line costs the
event loop an append and a slow terminal never stops it. What is filtered by level is the category,
as host.json's `logging.logLevel` says. No key, no connection string and no message body is logged
by the host.

Source: the console of Core Tools: without `--verbose` the host's own categories show from Warning
on, those of functions from Information on.
"""

import asyncio
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TextIO

from emulator.clock import Clock

LEVELS = {
    "trace": 0,
    "debug": 1,
    "information": 2,
    "warning": 3,
    "error": 4,
    "critical": 5,
    "none": 6,
}
INFORMATION, WARNING, ERROR = 2, 3, 4
# Gathering for a twentieth of a second is too short to be seen and long enough to matter.
_GATHER_S = 0.05


class Log:
    """The console.

    Args:
        levels: category prefix to level name, `default` among them.
        verbose: show what the host says of itself from Information on.
        quiet: show warnings and errors only.
    """

    def __init__(
        self,
        clock: Clock,
        levels: Mapping[str, str] | None = None,
        *,
        verbose: bool = False,
        quiet: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        self._clock = clock
        self._verbose = verbose
        self._quiet = quiet
        self._stream = stream or sys.stdout
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="log")
        self.set_levels(levels or {})

    def set_levels(self, levels: Mapping[str, str]) -> None:
        """Take the filter of host.json."""
        self._levels = {
            name.lower(): LEVELS.get(level.lower(), INFORMATION) for name, level in levels.items()
        }
        self._cache: dict[str, int] = {}

    def shows(self, level: int, category: str) -> bool:
        """Whether a line of this level and category is written."""
        least = self._cache.get(category)
        if least is None:
            least = self._cache[category] = self._least(category)
        return level >= least

    def _least(self, category: str) -> int:
        if self._quiet:
            return WARNING
        names = sorted(self._levels, key=len, reverse=True)
        for name in names:
            if category.lower() == name or category.lower().startswith(name + "."):
                return self._levels[name]
        host = category.lower().startswith("host")
        if host and not self._verbose:
            return WARNING
        return self._levels.get("default", INFORMATION)

    def info(self, text: str, category: str = "Host.General") -> None:
        """Write at Information."""
        self.write(INFORMATION, text, category)

    def warning(self, text: str, category: str = "Host.General") -> None:
        """Write at Warning."""
        self.write(WARNING, text, category)

    def error(self, text: str, category: str = "Host.General") -> None:
        """Write at Error."""
        self.write(ERROR, text, category)

    def write(self, level: int, text: str, category: str) -> None:
        """Write a line, if its level and category are shown."""
        if self.shows(level, category):
            self.plain(f"[{timestamp(self._clock.now())}] {text}")

    def plain(self, text: str) -> None:
        """Write a line as it is."""
        with self._lock:
            self._lines.append(text)
        if self._timer is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
                return
            self._timer = loop.call_later(_GATHER_S, self._hand_over)

    def _hand_over(self) -> None:
        self._timer = None
        self._writer.submit(self._drain)

    def _drain(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            lines.append("")
            try:
                self._stream.write("\n".join(lines))
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                # Nobody reads any more; the host goes on.
                return

    def flush(self) -> None:
        """Write out what is gathered, and wait for it."""
        self._writer.submit(self._drain).result()

    def close(self) -> None:
        """Write out what is gathered; nothing may follow."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.flush()
        self._writer.shutdown()


def timestamp(instant: datetime) -> str:
    """An instant as log lines show it: UTC, milliseconds."""
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"
