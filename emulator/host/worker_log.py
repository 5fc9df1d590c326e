"""What the app and the emulator's own modules log, as lines of the host's log."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

from emulator.host.log import ERROR, INFORMATION, WARNING, Log
from emulator.host.worker_model import LogLine

_LEVELS = {
    "Trace": 0,
    "Debug": 1,
    "Information": INFORMATION,
    "Warning": WARNING,
    "Error": ERROR,
    "Critical": 5,
}


def app_line(log: Log, line: LogLine) -> None:
    """Write a line of the worker."""
    if line.function is not None:
        category = f"Function.{line.function}" + ("" if line.system else ".User")
    elif line.category == "worker":
        category = "Worker"
    else:
        category = "Host.Function.Console" if line.system else "Function.Console"
    log.write(_LEVELS.get(line.level, INFORMATION), line.text, category)


class BridgeHandler(logging.Handler):
    """Brings what the emulator's modules log by `logging` into the host's log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        category = f"Host.{record.name}"
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            # Whoever sent it is answered 400; the server's own trace would help nobody.
            reason = error.message.splitlines()[0].rstrip(":")
            self._log.write(WARNING, f"A request could not be read: {reason}", category)
            return
        level = ERROR if record.levelno >= logging.ERROR else WARNING
        self._log.write(level, self.format(record), category)
