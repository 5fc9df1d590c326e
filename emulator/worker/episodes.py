"""Runs orchestrators and entities, one at a time, on a thread of their own.

They are sync and short; on one thread they wait for no free thread of the pool, and one that blocks
holds up no other function. Sessions belong to this thread alone.

DIFFERS: Azure's worker runs them in the pool and replays every episode.
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from .channel import Channel
from .context import attributed, make_context
from .invoker import arguments, call_sync, format_trace, success
from .payloads import payload_of, split_failure
from .protocol import Datum, Frame, encode_frame, to_wire
from .signatures import FunctionPlan

Finish = Callable[[int, str, Frame], None]

# An answer waits for at most so many episodes after its own.
_SENT_TOGETHER = 8

log = logging.getLogger("azure_functions_worker")


class Episodes:
    """The thread and its queue.

    Args:
        channel: the way to the host.
        finish: posts the answer of a call, given its number and invocation id.
    """

    def __init__(self, channel: Channel, finish: Finish) -> None:
        self._channel = channel
        self._finish = finish
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._waiting: dict[int, tuple[FunctionPlan, Frame]] = {}
        self._sessions: Any = None
        self._unsent = 0

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._serve, name="orchestrations", daemon=True).start()

    def open_sessions(self, limit: int) -> None:
        """Keep up to `limit` orchestrations alive between their episodes."""
        # Imported here because an app without orchestrators need not have the durable library.
        try:
            from . import sessions, timestamps  # noqa: PLC0415 - see above
        except ImportError as error:
            log.warning("Every episode is replayed in full: %s", error)
            return
        timestamps.install_fast_timestamps()
        self._sessions = sessions.Sessions(limit)

    def call(self, plan: FunctionPlan, frame: Frame) -> None:
        """Queue an `invoke` frame."""

        def run() -> None:
            self._finish(frame["id"], frame["context"]["invocation_id"], call_sync(plan, frame))

        self._queue.put(run)

    def orchestrate(self, plan: FunctionPlan, frame: Frame) -> None:
        """Queue an `orchestrate` frame."""
        self._queue.put(lambda: self._run(plan, frame))

    def take_history(self, answer: Frame) -> None:
        """Queue the episode again that this `history` frame was asked for."""
        waiting = self._waiting.pop(answer["id"], None)
        if waiting is not None and answer["events"] is not None:
            plan, frame = waiting
            found = {"history": answer["events"], "history_start": answer["start"]}
            self.orchestrate(plan, frame | found | {"input": answer["input"]})

    def _serve(self) -> None:
        while True:
            self._queue.get()()
            # Answers go together with those of the calls that wait already, and of few of them.
            self._unsent += 1
            if self._unsent >= _SENT_TOGETHER or self._queue.empty():
                self._unsent = 0
                self._channel.flush()

    def _run(self, plan: FunctionPlan, frame: Frame) -> None:
        """Run one episode, or ask for the history it needs."""
        with attributed(frame["invocation_id"]):
            try:
                outcome = self._episode(plan, frame)
            except BaseException as error:  # noqa: BLE001 - it must not end the worker
                outcome = _failed(error)
        if isinstance(outcome, int):
            self._waiting[frame["id"]] = plan, frame
            self._channel.post({"t": "need_history", "id": frame["id"], "start": outcome})
        else:
            self._finish(frame["id"], frame["invocation_id"], outcome)

    def _episode(self, plan: FunctionPlan, frame: Frame) -> Frame | int:
        """The outcome, or the number of the first event that is missing for it."""
        if self._sessions is not None and hasattr(plan.function, "orchestrator_function"):
            reply = self._sessions.run(plan.function, frame)
            return {"ok": True, "text": reply} if isinstance(reply, str) else int(reply.start)
        # An orchestrator that the durable library did not decorate is called as any function.
        if frame["played"] and "history" not in frame:
            return 0
        payload = encode_frame(payload_of(frame, frame.get("history") or []))[4:].decode("ascii")
        trigger = {plan.trigger_name: to_wire(Datum("string", payload))}
        context = make_context(plan.name, plan.directory, frame)
        called_with = arguments(plan, {"inputs": trigger}, context)
        outcome = success(plan, called_with, plan.function(**called_with))
        return {"ok": True, "text": outcome["return"]["v"]}


def _failed(error: BaseException) -> Frame:
    message, embedded = split_failure(error)
    cause = error.__cause__ if embedded is not None and error.__cause__ else error
    return {"ok": False, "message": message, "embedded": embedded, "trace": format_trace(cause)}
