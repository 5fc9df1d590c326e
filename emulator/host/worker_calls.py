"""Keeps a worker running, and calls functions in it.

A worker that dies takes what it was running with it: every such call raises `WorkerLost`, and a new
worker is started, at once the first time and then with growing pauses. Calls made meanwhile wait
for it. A call that exceeds functionTimeout is cancelled; if the worker does not give it up within
the grace, the worker is killed, and whatever else it was running is lost too, as on Azure.

Left out: more than one worker for an app (FUNCTIONS_WORKER_PROCESS_COUNT).

Source: the Functions host's worker channel and function timeout handling.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.host.worker_connection import ConnectionClosed
from emulator.host.worker_model import (
    AppLoadError,
    FunctionMetadata,
    InvocationContext,
    InvocationResult,
    LogLine,
    WorkerOptions,
)
from emulator.host.worker_run import WorkerRun
from emulator.taskhub.model import Episode, WorkerLost
from emulator.worker.protocol import Datum, Frame, to_wire_all

# A worker that ran this long has not died of how it starts: the pauses begin anew.
_STEADY_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


@dataclass(eq=False)
class Call:
    """A call in flight."""

    function: str
    invocation_id: str
    answer: "asyncio.Future[Frame]"
    episode: Episode | None = None
    timed_out: bool = False


class WorkerCalls:
    """A worker that is kept running, and the calls it has not answered yet.

    Args:
        on_log: called on the event loop with every line of the app.
    """

    def __init__(self, options: WorkerOptions, on_log: Callable[[LogLine], None]) -> None:
        self._options = options
        self._on_log = on_log
        self._calls: dict[int, Call] = {}
        self._functions_of: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._run: WorkerRun | None = None
        self._begun: asyncio.Task[list[FunctionMetadata]] | None = None
        self._ready = asyncio.Event()
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    # Life of the worker

    def begin(self, script_root: Path, env: Mapping[str, str], python: str | None = None) -> None:
        """Let the first worker start and load the app already; `start` is to follow."""
        self._begun = asyncio.create_task(self._start_run(script_root, env, python))

    async def start(
        self, script_root: Path, env: Mapping[str, str], python: str | None = None
    ) -> list[FunctionMetadata]:
        """Start a worker and load the app, or wait for the one that has begun.

        Args:
            env: the whole environment of the worker, settings included.
            python: the app's interpreter; the host's own if None.
        Returns: the app's functions, in the library's order.
        Raises:
            AppLoadError: the app cannot be loaded; the worker has been ended.
            OSError: the interpreter cannot be started.
        """

        async def start_run() -> list[FunctionMetadata]:
            return await self._start_run(script_root, env, python)

        try:
            functions = await (start_run() if self._begun is None else self._begun)
        except BaseException:
            await self.stop()
            raise
        self._ready.set()
        self._keeper = asyncio.create_task(self._keep_running(start_run))
        return functions

    async def _start_run(
        self, script_root: Path, env: Mapping[str, str], python: str | None
    ) -> list[FunctionMetadata]:
        run = self._run = WorkerRun(
            self._take, lambda text: self._say("Information", text), self._no_worker
        )
        return await run.start(script_root, env, python, self._options)

    async def stop(self) -> None:
        """End the worker; calls still in flight raise `WorkerLost`."""
        self._stopping = True
        self._ready.set()
        if self._begun is not None:
            self._begun.cancel()
            await asyncio.gather(self._begun, return_exceptions=True)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._run is not None:
            await self._run.end(kindly=not self._calls)
        self._lose_calls()

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._run.pid if self._run is not None else None

    @property
    def in_flight(self) -> int:
        """How many calls the worker has not answered."""
        return len(self._calls)

    async def _keep_running(
        self, start_run: Callable[[], Awaitable[list[FunctionMetadata]]]
    ) -> None:
        """Start a new worker whenever one is gone."""
        loop, pause = asyncio.get_running_loop(), 0.0
        while True:
            run, began = self._run, loop.time()
            assert run is not None
            await run.wait_lost()
            await run.end(kindly=False)
            self._lose_calls()
            self._say("Error", f"Language Worker Process exited. {run.death}")
            if loop.time() - began > _STEADY_S:
                pause = 0.0
            pause = await self._restart(start_run, pause)
            self._ready.set()

    async def _restart(
        self, start_run: Callable[[], Awaitable[list[FunctionMetadata]]], pause: float
    ) -> float:
        """Try until a worker runs; return the pause that the next restart begins with."""
        while True:
            await asyncio.sleep(pause)
            pause = min(max(pause * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            try:
                await start_run()
            except (AppLoadError, OSError, ConnectionClosed) as error:
                self._say("Error", f"The worker cannot be restarted: {error}")
                if self._run is not None:
                    await self._run.end(kindly=False)
            else:
                return pause

    def _no_worker(self) -> None:
        if not self._stopping:
            self._ready.clear()

    def _lose_calls(self) -> None:
        for call in self._calls.values():
            if not call.answer.done():
                call.answer.set_exception(WorkerLost("The worker process is gone."))

    def _say(self, level: str, text: str) -> None:
        self._on_log(LogLine(None, None, level, "worker", text, system=True))

    # Frames from the worker

    def _take(self, frame: Frame) -> None:
        kind = frame["t"]
        if kind == "result":
            call = self._calls.get(frame["id"])
            if call is not None and not call.answer.done():
                call.answer.set_result(frame)
        elif kind == "log":
            self._on_log(
                LogLine(
                    frame["invocation"],
                    self._functions_of.get(frame["invocation"]),
                    *(frame["level"], frame["category"], frame["text"], frame["system"]),
                )
            )
        elif kind == "need_history":
            self._send_history(frame)

    def _send_history(self, frame: Frame) -> None:
        call, start = self._calls.get(frame["id"]), frame["start"]
        answer: Frame = {"t": "history", "id": frame["id"], "start": start, "events": None}
        if call is not None and call.episode is not None:
            try:
                answer["input"] = call.episode.input_json
                answer["events"] = call.episode.history()[start:]
            except Exception as error:  # noqa: BLE001 - handed to whoever awaits the episode
                if not call.answer.done():
                    call.answer.set_exception(error)
        self._send_if_possible(answer)

    def _send_if_possible(self, frame: Frame) -> None:
        """Send what concerns a call that is lost anyway if the worker is gone."""
        if self._run is not None:
            with contextlib.suppress(ConnectionClosed):
                self._run.send_now(frame)

    # Calls

    async def invoke(
        self,
        function: str,
        inputs: Mapping[str, Datum],
        metadata: Mapping[str, Datum] | None = None,
        context: InvocationContext | None = None,
    ) -> InvocationResult:
        """Run a function once.

        Args:
            function: its name, as loaded.
            inputs: a datum for every input binding, the trigger among them.
            metadata: the trigger's metadata.
        Returns: how it ended; outputs are not sent yet.
        Raises:
            WorkerLost: the worker died with it, or is being stopped.
        """
        context = context or InvocationContext()
        frame = {
            "t": "invoke",
            "function": function,
            "inputs": to_wire_all(inputs),
            "metadata": to_wire_all(metadata or {}),
            "context": context.to_frame(),
        }
        call = self.new_call(function, context.invocation_id)
        return self._result_of(call, await self.ask(call, frame))

    def cancel(self, invocation_id: str) -> bool:
        """Ask the worker to give an invocation up; False if there is none of that id."""
        for number, call in self._calls.items():
            if call.invocation_id == invocation_id:
                self._send_if_possible({"t": "cancel", "id": number})
                return True
        return False

    def new_call(self, function: str, invocation_id: str, episode: Episode | None = None) -> Call:
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        return Call(function, invocation_id, answer, episode)

    async def ask(self, call: Call, frame: Frame) -> Frame:
        """Send a call's frame and wait for its answer."""
        while not self._ready.is_set():
            await self._ready.wait()
        run = self._run
        if self._stopping or run is None:
            raise WorkerLost("The worker is being stopped.")
        number = next(self._numbers)
        self._calls[number] = call
        self._functions_of[call.invocation_id] = call.function
        limit, timer = self._options.function_timeout_s, None
        if limit is not None:
            timer = asyncio.get_running_loop().call_later(limit, self._time_out, number, call)
        try:
            await run.send({**frame, "id": number})
            return await call.answer
        except ConnectionClosed:
            raise WorkerLost("The worker process is gone.") from None
        except asyncio.CancelledError:
            self._send_if_possible({"t": "cancel", "id": number})
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._calls.pop(number, None)
            self._functions_of.pop(call.invocation_id, None)

    def _time_out(self, number: int, call: Call) -> None:
        call.timed_out = True
        self._send_if_possible({"t": "cancel", "id": number})
        asyncio.get_running_loop().call_later(
            self._options.cancel_grace_s, self._kill_for, number, call
        )

    def _kill_for(self, number: int, call: Call) -> None:
        """Kill the worker for a call that it does not give up."""
        run = self._run
        if self._calls.get(number) is not call or call.answer.done() or run is None:
            return
        self._say(
            "Error",
            "A function timeout has occurred. Restarting worker process executing invocationId "
            f"'{call.invocation_id}'.",
        )
        call.answer.set_result({"ok": False})
        run.kill()

    def _result_of(self, call: Call, frame: Frame) -> InvocationResult:
        if call.timed_out:
            return InvocationResult(
                ok=False,
                error_type="FunctionTimeoutException",
                error_message=self.timeout_text(call.function),
                timed_out=True,
            )
        return InvocationResult.from_frame(frame)

    def timeout_text(self, function: str) -> str:
        limit = self._options.function_timeout_s or 0.0
        return (
            f"Timeout value of {_time_span(limit)} was exceeded by function: Functions.{function}"
        )


def _time_span(seconds: float) -> str:
    """A span as .NET writes it: `00:05:00`, with seven digits where there is a fraction."""
    whole, fraction = divmod(round(seconds * 10_000_000), 10_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour:02}:{minute:02}:{second:02}"
    return (f"{days}." if days else "") + text + (f".{fraction:07}" if fraction else "")
