"""One life of the worker process: from its start to its end.

Source: the Functions host's worker channel.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.host.worker_connection import ConnectionClosed, Started, start_worker
from emulator.host.worker_model import AppLoadError, FunctionMetadata, WorkerOptions
from emulator.worker.protocol import Frame

# How long an end by request, and then by closing the socket, may take before the next stronger one.
_END_GRACE_S = 3.0
# How long the rest of its output may take to arrive; a program it left behind may hold the pipe.
_OUTPUT_GRACE_S = 0.5
_LAST_WORDS = 40


class WorkerRun:
    """A process that was started once; it is not used again after its end.

    Args:
        on_frame: called with every frame that arrives after loading.
        on_output: called with every line that the process itself writes.
        on_lost: called at once when the process is gone, or is to be killed.
    """

    def __init__(
        self,
        on_frame: Callable[[Frame], None],
        on_output: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._on_frame = on_frame
        self._on_output = on_output
        self._on_lost = on_lost
        self._lost = asyncio.Event()
        self._loaded: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._last_words: list[str] = []
        self._started: Started | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(
        self,
        script_root: Path,
        environ: Mapping[str, str],
        python: str | None,
        options: WorkerOptions,
    ) -> list[FunctionMetadata]:
        """Start the process and load the app.

        Raises:
            AppLoadError: the app cannot be loaded, or the process ended before it was.
            OSError: the interpreter cannot be started.
        """
        started = self._started = await start_worker(
            script_root, environ, python, self._take, self._lose
        )
        for work in (self._watch(started), self._read_output(started)):
            self._tasks.append(asyncio.create_task(work))
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            started.connection.send_now({"t": "load", "sessions": options.sessions})
            await asyncio.wait((self._loaded, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if not self._loaded.done():
            await self.end(kindly=False)
            raise AppLoadError(None, self.death, "\n".join(self._last_words))
        answer = self._loaded.result()
        if answer["t"] == "load_failed":
            raise AppLoadError(answer["type"], answer["message"], answer["trace"])
        return [FunctionMetadata.from_frame(sent) for sent in answer["functions"]]

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return self._started.process.pid if self._started is not None else None

    @property
    def death(self) -> str:
        """How the process ended, with its last line."""
        code = self._started.process.returncode if self._started is not None else None
        words = f" {self._last_words[-1]}" if self._last_words else ""
        return f"Exit code: {code}.{words}"

    async def send(self, frame: Frame) -> None:
        """Send a frame once the worker has taken enough of those before.

        Raises:
            ConnectionClosed: the worker is gone.
        """
        if self._started is None:
            raise ConnectionClosed
        await self._started.connection.send(frame)

    def send_now(self, frame: Frame) -> None:
        """Send a frame without waiting.

        Raises:
            ConnectionClosed: the worker is gone.
        """
        if self._started is None:
            raise ConnectionClosed
        self._started.connection.send_now(frame)

    async def wait_lost(self) -> None:
        """Return when the worker is gone."""
        await self._lost.wait()

    def kill(self) -> None:
        """End the process by force, whatever it is doing."""
        if self._started is not None and self._started.process.returncode is None:
            self._started.process.kill()
            self._lose()

    async def end(self, *, kindly: bool) -> None:
        """End the process: by request if `kindly`, then by closing its socket, then by force."""
        if self._started is None:
            return
        process, connection = self._started.process, self._started.connection
        if kindly and not self._lost.is_set():
            connection.send_now({"t": "stop"})
            await _exited(process)
        connection.close()
        if not await _exited(process):
            process.kill()
            await process.wait()
        await asyncio.wait(self._tasks, timeout=_OUTPUT_GRACE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, started: Started) -> None:
        """Notice an exit even if a process that the app forked holds the socket open."""
        await started.process.wait()
        self._lose()

    def _lose(self) -> None:
        if not self._lost.is_set():
            self._lost.set()
            self._on_lost()

    async def _read_output(self, started: Started) -> None:
        rest = b""
        while data := await started.output.read(65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace").rstrip("\r")
                self._last_words = [*self._last_words[1 - _LAST_WORDS :], text]
                self._on_output(text)

    def _take(self, frame: Frame) -> None:
        if frame["t"] in ("loaded", "load_failed"):
            self._loaded.set_result(frame)
        else:
            self._on_frame(frame)


async def _exited(process: asyncio.subprocess.Process) -> bool:
    """Wait a little for the process to end; whether it has."""
    try:
        await asyncio.wait_for(process.wait(), _END_GRACE_S)
    except TimeoutError:
        return False
    return True
