"""Where the time goes: what holds each interpreter while orders go through, by subject.

Python runs one thread of a process at a time, so what holds the interpreter (the GIL) is what
bounds the throughput. `py-spy` looks 250 times a second who does; each sample counts for the
innermost frame that belongs to a subject, so that JSON or a socket counts for whoever called it.
What runs without the interpreter, as SQLite's waiting for the disk, is not seen here.
"""

import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measurements import Measured, put_through
from benchmarks.system import running

_HOST = (
    ("task hub", "/emulator/taskhub/"),
    ("Service Bus", "/emulator/servicebus/|/host/servicebus_"),
    ("Cosmos DB", "/emulator/cosmos/"),
    ("Event Grid", "/emulator/eventgrid/"),
    ("commits (SQLite)", "/emulator/database"),
    ("frames to and from the worker", "/host/worker_|/emulator/worker/"),
    ("host", "/emulator/"),
)
_WORKER = (
    ("azure-cosmos and its HTTP client", "/azure/(cosmos|core|identity)/"),
    ("durable library", "/azure/durable_functions/"),
    ("functions library", "/azure/functions/"),
    ("the app", "/function_app|/activities/|/domain/|/orchestrators/|/triggers/"),
    ("worker", "/emulator/worker/"),
)
# Counted only where no subject's frame is on the stack.
_GENERAL = (("HTTP (aiohttp)", "/aiohttp/"), ("event loop", "/asyncio/"))
_OTHER = "other"
_OPTIONS = ("--rate", "250", "--full-filenames", "--format", "raw")
_LOOP_STEP = "Handle._run ("


class CannotProfile(Exception):
    """py-spy did not run; the text says what to do."""


async def profile(count: int) -> Measured:
    """The shares of each subject in either process, in percent of its samples."""
    with tempfile.TemporaryDirectory() as folder:
        async with running() as system:
            await put_through(system, "WARM", 200)
            recorders = [
                _Recorder(pid, Path(folder) / f"{pid}.txt") for pid in system.worker_pids[:2]
            ]
            await put_through(system, "ORD", count)
            host, worker = (recorder.stop() for recorder in recorders)
    shares = {f"host process: {name}": share for name, share in _shares(host, _HOST)}
    shares |= {f"worker process: {name}": share for name, share in _shares(worker, _WORKER)}
    return {name: (share, "%") for name, share in shares.items()}


class _Recorder:
    """A py-spy that watches one process until it is stopped."""

    def __init__(self, pid: int, path: Path) -> None:
        self._path = path
        program = Path(sys.executable).with_name("py-spy")
        if not program.exists():
            raise CannotProfile("py-spy is not installed: pip install -e '.[bench]'.")
        self._process = subprocess.Popen(
            (program, "record", "--gil", *_OPTIONS, "--pid", str(pid), "--output", str(path)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> list[str]:
        """The samples: lines of frames, outermost first, and how often they were seen."""
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=60)
        if not self._path.exists():
            raise CannotProfile(
                "py-spy could not look into the process. It needs root, or "
                f"kernel.yama.ptrace_scope=0. It said: {said.strip()}"
            )
        return self._path.read_text(encoding="utf-8").splitlines()


def _shares(
    samples: Iterable[str], subjects: tuple[tuple[str, str], ...]
) -> list[tuple[str, float]]:
    """Percent of the samples by subject, the largest first."""
    seen: Counter[str] = Counter()
    for line in samples:
        stack, _, times = line.rpartition(" ")
        seen[_subject(stack.split(";"), subjects)] += int(times)
    total = seen.total()
    return [(name, 100 * times / total) for name, times in seen.most_common()]


def _subject(stack: list[str], subjects: tuple[tuple[str, str], ...]) -> str:
    """Whose the innermost frame is that is anybody's."""
    steps = [at for at, frame in enumerate(stack) if frame.startswith(_LOOP_STEP)]
    # What started the loop is on every stack, and says nothing.
    inner = stack[steps[-1] :] if steps else stack
    for names in (subjects, _GENERAL):
        for frame in reversed(inner):
            for name, pattern in names:
                if re.search(pattern, frame):
                    return name
    return _OTHER
