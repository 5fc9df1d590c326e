"""Runs activities and HTTP calls: work items, a bounded number at a time.

A work item is nothing stored: it is an open task of an instance. Its result goes into the
instance's inbox in memory and is stored with the episode that takes it, so a crash in between runs
the activity again: at least once. What has become pointless (its instance ended, was purged or
replaced) is not begun, and its result is dropped.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from emulator.faults import Faults, InjectedFault
from emulator.taskhub import events
from emulator.taskhub.cache import Active, Cache
from emulator.taskhub.errors import activity_failed, activity_refused, unknown_function
from emulator.taskhub.http_call import HttpCalls
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.model import ActivityCall, ActivityOutcome, Event, FunctionInvoker, WorkerLost
from emulator.taskhub.names import find_name
from emulator.taskhub.pauses import pause_s
from emulator.taskhub.state import Kind, Task

_log = logging.getLogger("Host.Triggers.DurableTask")


@dataclass(slots=True)
class _Item:
    active: Active
    execution_id: str
    task: Task


class Work:
    """The queue of work items and those that run.

    Args:
        limit: how many run at a time.
        now: the present, in microseconds.
        completed: called after a result was put into an instance's inbox.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        invoker: FunctionInvoker,
        faults: Faults,
        http: HttpCalls,
        limit: int,
        now: Callable[[], int],
        completed: Callable[[Active], None],
    ) -> None:
        self._cache = cache
        self._invoker = invoker
        self._faults = faults
        self._http = http
        self._limit = limit
        self._now = now
        self._completed = completed
        self._queue: deque[_Item] = deque()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def is_crowded(self) -> bool:
        """Whether more work items wait than can run at a time."""
        return len(self._queue) > self._limit

    def submit(self, active: Active, execution_id: str, task: Task) -> None:
        """Run a task of an instance when there is room, once for each time it is open."""
        if task.id not in active.in_flight:
            active.in_flight.add(task.id)
            self._queue.append(_Item(active, execution_id, task))
            self._pump()

    async def stop(self) -> None:
        """Abandon what runs; it runs again at the next start."""
        self._queue.clear()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _pump(self) -> None:
        while self._queue and len(self._running) < self._limit:
            item = self._queue.popleft()
            if self._is_wanted(item):
                task = asyncio.get_running_loop().create_task(self._run(item))
                self._running.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A work item could not be run.", exc_info=task.exception())
        self._pump()

    def _is_wanted(self, item: _Item) -> bool:
        instance = item.active.instance
        if not self._cache.holds(item.active):
            return False
        if instance is None:  # it is being read again; what it reads will still want this
            return True
        return instance.execution_id == item.execution_id and item.task.id in instance.open

    async def _run(self, item: _Item) -> None:
        if item.task.kind is Kind.HTTP:
            event = await self._http.perform(item.task, self._now)
        else:
            event = await self._run_activity(item)
        if self._cache.holds(item.active):
            message = Message(MessageKind.COMPLETION, self._now(), event, item.execution_id)
            item.active.inbox.add(message)
            self._completed(item.active)

    async def _run_activity(self, item: _Item) -> Event:
        task = item.task
        known = self._invoker.activities()
        name = find_name(task.name, known)
        if name is None:
            text = unknown_function(task.name, "activity", known)
            reason, details = activity_refused(task.name, text)
            return events.task_failed(self._now(), task.id, reason, details)
        call = ActivityCall(
            name,
            item.active.id,
            item.execution_id,
            task.id,
            "null" if task.input is None else task.input,
        )
        outcome = await self._outcome(call)
        if outcome.ok:
            result = None if outcome.result_text == "null" else outcome.result_text
            return events.task_completed(self._now(), task.id, result)
        if outcome.timed_out:
            reason, details = activity_refused(task.name, outcome.error_message)
        else:
            reason, details = activity_failed(task.name, outcome.error_type, outcome.error_message)
        return events.task_failed(self._now(), task.id, reason, details)

    async def _outcome(self, call: ActivityCall) -> ActivityOutcome:
        """Call the function, again for as long as workers die of it."""
        labels = {"function": call.name, "instance": call.instance_id}
        losses = 0
        while True:
            try:
                twice = await self._faults.at("activity.before", **labels)
                outcome = await self._invoker.run_activity(call)
                if twice:
                    outcome = await self._invoker.run_activity(call)
                await self._faults.at("activity.after", **labels)
                return outcome
            except InjectedFault as fault:
                return ActivityOutcome(
                    ok=False, error_type="InjectedFault", error_message=str(fault)
                )
            except WorkerLost:
                losses += 1
                await asyncio.sleep(pause_s(losses))
