"""The worker process: reads frames, runs functions where they belong, answers.

    main thread     the one event loop: loads the app, runs each async function as a task of its own
    thread pool     sync functions, as many at once as PYTHON_THREADPOOL_THREAD_COUNT says
    orchestrations  one thread for orchestrators and entities, which are sync and short
    reader          reads the socket; when the host is gone it ends the process at once, whatever
                    the app's code is doing

Source: the Python worker's dispatcher.
"""

import asyncio
import logging
import os
import queue
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import context as contexts
from .invoker import arguments, failure, format_trace, success
from .loader import load_app
from .logs import PrintedLines, capture_logging
from .protocol import Datum, Frame, FrameBuffer, encode_frame, to_wire
from .signatures import FunctionPlan

_READ_BYTES = 1 << 18
_HOST_IS_GONE = 0
_FAILED = 70  # EX_SOFTWARE: the worker itself failed
_ORCHESTRATIONS = ("orchestrationTrigger", "entityTrigger")

log = logging.getLogger("azure_functions_worker")


class Channel:
    """The socket to the host. Sending is safe from any thread and waits while the host is busy."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()

    def send(self, frame: Frame) -> None:
        """Send one frame. The process ends if the host is gone.

        Raises:
            TypeError, ValueError: the frame holds what JSON cannot.
        """
        data = encode_frame(frame)
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError:
            os._exit(_HOST_IS_GONE)

    def receive(self) -> bytes:
        """What arrives next; empty when the host is gone."""
        try:
            return self._socket.recv(_READ_BYTES)
        except OSError:
            return b""


class Worker:
    """One function app, loaded and served."""

    def __init__(self, connection: socket.socket, script_root: Path) -> None:
        self._channel = Channel(connection)
        self._script_root = script_root
        self._loop = asyncio.new_event_loop()
        self._plans: dict[str, FunctionPlan] = {}
        self._pool = ThreadPoolExecutor()
        self._orchestrations: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._waiting_for_history: dict[int, Frame] = {}
        self._running: dict[int, asyncio.Task[None] | Future[None]] = {}
        self._printed = PrintedLines("stdout", "Information", self._channel.send)
        self._sessions: Any = None
        self._session_limit = 0

    def run(self) -> None:
        """Serve until the host says stop or is gone."""
        asyncio.set_event_loop(self._loop)
        capture_logging(self._channel.send, os.environ)
        sys.stdout = self._printed
        self._pool = ThreadPoolExecutor(thread_count(os.environ))
        for target in (self._read, self._orchestrate):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()
        while True:
            try:
                self._loop.run_forever()
                break
            except (SystemExit, KeyboardInterrupt) as error:
                # asyncio lets these two out of a task that the app started by itself.
                log.error("A task of the app raised %s: %s", type(error).__name__, error)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._running:
            os._exit(0)  # what still runs is given up; Python would wait for it

    def _read(self) -> None:
        buffer = FrameBuffer()
        try:
            while data := self._channel.receive():
                for frame in buffer.feed(data):
                    self._take(frame)
        except Exception:  # noqa: BLE001 - a reader that fails leaves a worker that cannot hear
            traceback.print_exc(file=sys.__stderr__)
            os._exit(_FAILED)
        os._exit(_HOST_IS_GONE)

    def _take(self, frame: Frame) -> None:
        kind = frame["t"]
        if kind == "invoke":
            self._start_invocation(frame)
        elif kind == "orchestrate":
            self._orchestrations.put(lambda: self._run_episode(frame))
        elif kind == "history":
            self._take_history(frame)
        elif kind == "load":
            self._loop.call_soon_threadsafe(self._load, frame)
        elif kind == "cancel":
            self._loop.call_soon_threadsafe(self._cancel, frame["id"])
        elif kind == "stop":
            self._loop.call_soon_threadsafe(self._loop.stop)
        else:
            log.error("The host sent a frame of the unknown kind %r.", kind)

    def _load(self, frame: Frame) -> None:
        """Load on the running loop, as on Azure: clients made at import bind to it."""
        self._session_limit = int(frame.get("sessions", 0))
        try:
            functions = load_app(self._script_root, os.environ)
        except BaseException as error:  # noqa: BLE001 - also the SystemExit of an app's import
            outcome = failure(error)
            self._channel.send(
                {"t": "load_failed"} | {k: outcome[k] for k in ("type", "message", "trace")}
            )
            return
        self._plans = {function.plan.name: function.plan for function in functions}
        if any(plan.trigger_type == "orchestrationTrigger" for plan in self._plans.values()):
            self._open_sessions()
        self._channel.send(
            {"t": "loaded", "functions": [function.metadata for function in functions]}
        )

    def _open_sessions(self) -> None:
        # Imported here because an app without orchestrators need not have the durable library.
        try:
            from . import sessions  # noqa: PLC0415 - see above
        except ImportError as error:
            log.warning("Every episode is replayed in full: %s", error)
            return
        sessions.install_fast_timestamps()
        self._sessions = sessions.Sessions(self._session_limit)

    def _start_invocation(self, frame: Frame) -> None:
        number, plan = frame["id"], self._plans[frame["function"]]
        if plan.is_async:
            self._loop.call_soon_threadsafe(self._start_task, frame, plan)
        elif plan.trigger_type in _ORCHESTRATIONS:
            self._orchestrations.put(lambda: self._call_on_thread(frame, plan))
        else:
            future = self._pool.submit(self._call_on_thread, frame, plan)
            self._running[number] = future
            future.add_done_callback(lambda done: self._thread_done(number, done))

    def _thread_done(self, number: int, done: "Future[None]") -> None:
        self._running.pop(number, None)
        if done.cancelled():
            self._answer(number, failure(asyncio.CancelledError()))

    def _start_task(self, frame: Frame, plan: FunctionPlan) -> None:
        number = frame["id"]
        task = self._loop.create_task(self._call_on_loop(frame, plan))
        self._running[number] = task
        task.add_done_callback(lambda _: self._running.pop(number, None))

    async def _call_on_loop(self, frame: Frame, plan: FunctionPlan) -> None:
        """Run an async function in this task, which is its alone."""
        context = contexts.make_context(plan.name, plan.directory, frame["context"])
        contexts.invocation_id.set(context.invocation_id)
        try:
            called_with = arguments(plan, frame, context)
            outcome = success(plan, called_with, await plan.function(**called_with))
        except BaseException as error:  # noqa: BLE001 - a function must not end the worker
            outcome = failure(error)
        self._finish(frame["id"], context.invocation_id, outcome)

    def _call_on_thread(self, frame: Frame, plan: FunctionPlan) -> None:
        context = contexts.make_context(plan.name, plan.directory, frame["context"])
        token = self._enter(context.invocation_id)
        try:
            called_with = arguments(plan, frame, context)
            outcome = success(plan, called_with, plan.function(**called_with))
        except BaseException as error:  # noqa: BLE001 - a function must not end the worker
            outcome = failure(error)
        finally:
            self._leave(token)
        self._finish(frame["id"], context.invocation_id, outcome)

    def _enter(self, invocation_id: str) -> Any:
        contexts.thread_local_storage.invocation_id = invocation_id
        return contexts.invocation_id.set(invocation_id)

    def _leave(self, token: Any) -> None:
        contexts.invocation_id.reset(token)
        contexts.thread_local_storage.invocation_id = None

    def _finish(self, number: int, invocation_id: str, outcome: Frame) -> None:
        self._printed.finish(invocation_id)
        self._answer(number, outcome)

    def _answer(self, number: int, outcome: Frame) -> None:
        try:
            self._channel.send({"t": "result", "id": number} | outcome)
        except (TypeError, ValueError, RecursionError) as error:
            self._channel.send({"t": "result", "id": number} | failure(error))

    def _cancel(self, number: int) -> None:
        running = self._running.get(number)
        if running is not None:
            running.cancel()

    def _orchestrate(self) -> None:
        while True:
            self._orchestrations.get()()

    def _run_episode(self, frame: Frame) -> None:
        """Run one episode, or ask for the history it needs."""
        number, plan = frame["id"], self._plans[frame["function"]]
        token = self._enter(frame["invocation_id"])
        try:
            outcome = self._episode(plan, frame)
        except BaseException as error:  # noqa: BLE001 - an orchestrator must not end the worker
            outcome = self._failed_episode(error)
        finally:
            self._leave(token)
        if outcome is None:
            return
        self._finish(number, frame["invocation_id"], outcome)

    def _episode(self, plan: FunctionPlan, frame: Frame) -> Frame | None:
        function = plan.function
        if self._sessions is None or not hasattr(function, "orchestrator_function"):
            return self._plain_episode(plan, frame)
        reply = self._sessions.run(function, frame)
        if isinstance(reply, str):
            return {"ok": True, "text": reply}
        self._ask_for_history(frame, reply.start)
        return None

    def _plain_episode(self, plan: FunctionPlan, frame: Frame) -> Frame | None:
        """An orchestrator that the durable library did not decorate: call it as any function."""
        if frame["played"] and "history" not in frame:
            self._ask_for_history(frame, 0)
            return None
        from .sessions import payload_of  # noqa: PLC0415 - needs the durable library

        payload = payload_of(frame, frame.get("history") or [])
        trigger = {plan.trigger_name: to_wire(Datum("string", _dump(payload)))}
        called_with = arguments(plan, {"inputs": trigger}, contexts.make_context("", "", frame))
        outcome = success(plan, called_with, plan.function(**called_with))
        return {"ok": True, "text": outcome["return"]["v"]}

    def _ask_for_history(self, frame: Frame, start: int) -> None:
        self._waiting_for_history[frame["id"]] = frame
        self._channel.send({"t": "need_history", "id": frame["id"], "start": start})

    def _take_history(self, answer: Frame) -> None:
        frame = self._waiting_for_history.pop(answer["id"], None)
        if frame is not None and answer.get("events") is not None:
            again = frame | {
                "history": answer["events"],
                "history_start": answer["start"],
                "input": answer["input"],
            }
            self._orchestrations.put(lambda: self._run_episode(again))

    def _failed_episode(self, error: BaseException) -> Frame:
        from .sessions import split_failure  # noqa: PLC0415 - needs the durable library

        message, embedded = split_failure(error)
        cause = error.__cause__ if embedded is not None and error.__cause__ else error
        return {"ok": False, "message": message, "embedded": embedded, "trace": format_trace(cause)}


def thread_count(environ: Mapping[str, str]) -> int | None:
    """How many sync functions may run at once; None leaves it to Python."""
    text = environ.get("PYTHON_THREADPOOL_THREAD_COUNT")
    if not text:
        return None
    try:
        count = int(text)
    except ValueError:
        log.warning("PYTHON_THREADPOOL_THREAD_COUNT must be an integer")
        return None
    if count < 1:
        log.warning(
            "PYTHON_THREADPOOL_THREAD_COUNT must be set to a value between 1 and %d. Reverting to "
            "default value (1).",
            sys.maxsize,
        )
        return None
    return count


def _dump(payload: Frame) -> str:
    return encode_frame(payload)[4:].decode("ascii")
