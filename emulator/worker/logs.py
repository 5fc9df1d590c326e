"""Sends what the app logs and prints to the host, each line with the invocation it belongs to.

A record belongs to the invocation that runs where it is emitted. Records of the library's own
loggers are marked as the system's. Printed lines are sent when complete; what is left of a line is
sent when its invocation ends.
"""

import io
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from .context import current_invocation_id
from .protocol import Frame

_SYSTEM_LOGGERS = ("azure.functions", "azure_functions_worker", "azure_functions_runtime")
_LEVELS = (
    (logging.CRITICAL, "Critical"),
    (logging.ERROR, "Error"),
    (logging.WARNING, "Warning"),
    (logging.INFO, "Information"),
    (logging.DEBUG, "Debug"),
)

Send = Callable[[Frame], None]


def level_name(level: int) -> str:
    """The host's word for a level of Python's `logging`."""
    return next((name for floor, name in _LEVELS if level >= floor), "Trace")


class FrameHandler(logging.Handler):
    """Turns every log record into a `log` frame."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(
                {
                    "t": "log",
                    "invocation": current_invocation_id(),
                    "level": level_name(record.levelno),
                    "category": record.name,
                    "text": self.format(record),
                    "system": record.name.startswith(_SYSTEM_LOGGERS),
                }
            )
        except Exception:  # noqa: BLE001 - logging's own rule: a record that fails is handled there
            self.handleError(record)


class PrintedLines(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr`; a part of a line waits for its end."""

    def __init__(self, name: str, level: str, send: Send) -> None:
        self._name, self._level, self._send = name, level, send
        self._parts: dict[str | int, str] = {}
        self._lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # apps read it, as of any text stream
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        key = current_invocation_id() or threading.get_ident()
        with self._lock:
            *lines, rest = (self._parts.pop(key, "") + text).split("\n")
            if rest:
                self._parts[key] = rest
        for line in lines:
            self._send_line(key, line)
        return len(text)

    def flush(self) -> None:
        """Lines are whole or wait for their end; there is nothing else to do."""

    def finish(self, invocation: str) -> None:
        """Send what an invocation left of a line."""
        with self._lock:
            rest = self._parts.pop(invocation, "")
        if rest:
            self._send_line(invocation, rest)

    def _send_line(self, key: str | int, line: str) -> None:
        self._send(
            {
                "t": "log",
                "invocation": key if isinstance(key, str) else None,
                "level": self._level,
                "category": self._name,
                "text": line,
                "system": False,
            }
        )


def capture_logging(send: Send, environ: Mapping[str, str]) -> None:
    """Let the root logger speak to the host, at INFO unless debug logging is switched on."""
    root: Any = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(FrameHandler(send))
    debug = environ.get("PYTHON_ENABLE_DEBUG_LOGGING", "").lower() in ("1", "true")
    root.setLevel(logging.DEBUG if debug else logging.INFO)
