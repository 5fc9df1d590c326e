"""Starts the emulator as a process of its own and tells where its doors are.

For whatever wants a whole system beside it: the demo, the lab, benchmarks and tests. Leaves out on
purpose what `python -m emulator start` does by itself; the answer to "is it ready" is the one line
that `--ready-json` prints.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class StartFailed(Exception):
    """The emulator ended, or was not ready in time; the text holds what it printed."""


@dataclass(frozen=True)
class Doors:
    """Base URLs without a trailing slash; one that is not served is the empty string."""

    host: str
    cosmos: str
    servicebus: str
    gateway: str
    pid: int
    blob: str = ""


class EmulatorProcess:
    """One `python -m emulator start` on free ports.

    Args:
        data_dir: kept between starts, so that a second start goes on where the first stopped.
        script_root: the function app's folder.
        arguments: more of the command line.
        environment: settings put over those of this process.
        log_path: where all that it prints goes; by default `emulator.log` in the data folder.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        script_root: Path,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        log_path: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._command = [
            *(sys.executable, "-m", "emulator", "start", "--ready-json"),
            *("--script-root", str(script_root), "--data-dir", str(data_dir)),
            *("--port", "0", "--cosmos-port", "0", "--servicebus-port", "0", "--gateway-port", "0"),
            *("--blob-port", "0"),
            *arguments,
        ]
        self._environment = {**os.environ, **(environment or {})}
        self.log_path = log_path or data_dir / "emulator.log"
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()
        self._copier: threading.Thread | None = None
        self._doors: Doors | None = None

    def start(self, timeout_s: float = 60.0) -> Doors:
        """Start it and wait until everything serves.

        Raises:
            StartFailed: it ended or was not ready within `timeout_s`.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._ready.clear()
        self._doors = None
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=self._environment,
        )
        self._copier = threading.Thread(target=self._copy, args=(self._process,), daemon=True)
        self._copier.start()
        if not self._ready.wait(timeout_s) or self._doors is None:
            self.kill()
            raise StartFailed(
                f"The emulator did not get ready; it said:\n{self.log_path.read_text()[-4000:]}"
            )
        return self._doors

    def _copy(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with self.log_path.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                if self._doors is None and line.startswith('{"emulator"'):
                    doors = json.loads(line)["emulator"]
                    self._doors = Doors(
                        host=doors["host"],
                        cosmos=doors["cosmos"],
                        servicebus=doors["servicebus"],
                        gateway=doors.get("gateway", ""),
                        pid=doors["pid"],
                        blob=doors.get("blob", ""),
                    )
                    self._ready.set()
                log.write(line)
                log.flush()
        self._ready.set()

    def kill(self) -> None:
        """SIGKILL: nothing is finished, as when the machine fails."""
        self._end(signal.SIGKILL)

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM, and wait; returns the exit code."""
        return self._end(signal.SIGTERM, timeout_s)

    def _end(self, number: signal.Signals, timeout_s: float = 20.0) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if self._copier is not None:
            self._copier.join(timeout_s)
        return code

    @property
    def running(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self._process is not None and self._process.poll() is None
