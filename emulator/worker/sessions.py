"""Orchestrators between their episodes: extended sessions, with the library's replay beneath them.

The durable library replays a whole history in every episode. Here the generator of a busy instance
is kept alive and is fed the new events only; what it answers is, letter for letter, what the
library answers to the full history. Where there is no session for exactly that history (first
episode, restart, eviction, an episode that was run but not committed), the history is replayed by
the library itself and the session begins there.

How a session knows that it fits: the history is append-only, and between two episodes the engine
appends one scheduling event for each task id that the library consumed, and OrchestratorCompleted.
So the length it must find at its next episode is known; any other length means another history.

Two things the library does at the start of a replay must be done for a session by hand: what was
completed in earlier episodes counts as played, and an entity call must learn the id of its request
from the committed EventSent.

Source: azure-functions-durable 1.7.0, TaskOrchestrationExecutor and DurableOrchestrationContext.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

from azure.durable_functions.models.DurableOrchestrationContext import DurableOrchestrationContext
from azure.durable_functions.models.history import HistoryEvent
from azure.durable_functions.models.TaskOrchestrationExecutor import TaskOrchestrationExecutor

from .payloads import payload_of
from .protocol import Frame

Event = dict[str, Any]
# TaskScheduled, SubOrchestrationInstanceCreated, TimerCreated, EventSent: each has a task's id.
_SCHEDULING = frozenset({4, 7, 10, 14})

log = logging.getLogger("azure_functions_worker")


@dataclass(frozen=True)
class HistoryNeeded:
    """The episode cannot run without committed events; `start` is the first that is missing."""

    start: int


class _ReplayInstead(BaseException):
    """Code asked a session for what only a full replay has; no `except Exception` stops it."""


class _Context(DurableOrchestrationContext):  # type: ignore[misc]  # the library has no types
    """The library's context, which also notes what a later episode must count as played."""

    def __init__(self, **payload: Any) -> None:
        self._whole_history = True
        self._history_was_read = False
        self._completed_by_event: list[Any] = []
        self._completed_when_made: list[tuple[Any, Any]] = []
        super().__init__(**payload)
        self._history_was_read = False

    @property
    def histories(self) -> Any:
        """All events, committed and new. A session that is asked for them replays instead."""
        if not self._whole_history:
            raise _ReplayInstead
        self._history_was_read = True
        return self._histories

    def task_all(self, activities: Any) -> Any:
        return self._note(super().task_all(activities))

    def task_any(self, activities: Any) -> Any:
        return self._note(super().task_any(activities))

    def _note(self, task: Any) -> Any:
        if task.completed_tasks:
            self._completed_when_made.append((task, task.completed_tasks[-1]))
        return task

    def count_as_played(self) -> None:
        """Let what was completed so far look as it does in a replay of its episode."""
        for task in self._completed_by_event:
            task.is_played = True
        for compound, last_member in self._completed_when_made:
            compound.is_played = compound.is_played or last_member.is_played
        self._completed_by_event.clear()
        self._completed_when_made.clear()


class _Executor(TaskOrchestrationExecutor):  # type: ignore[misc]  # the library has no types
    """The library's executor, which also notes the tasks that an event completes."""

    def __init__(self, first_new_event: Any) -> None:
        super().__init__()
        self.generator: Any = None
        self.sequence_at_start = 0
        self._first_new_event = first_new_event

    def process_event(self, event: Any) -> None:
        if event is self._first_new_event:
            self.sequence_at_start = self.context._sequence_number
        super().process_event(event)

    def set_task_value(self, event: Any, is_success: bool, id_key: str) -> None:
        task = self.context.open_tasks.get(getattr(event, id_key))
        if isinstance(task, list):
            task = task[-1] if task else None
        super().set_task_value(event, is_success, id_key)
        while task is not None:
            self.context._completed_by_event.append(task)
            task = task.parent


class Session:
    """One execution of an orchestrator, from the episode that built it on."""

    def __init__(self, handle: Callable[..., str], payload: Frame) -> None:
        """Take an episode with its whole history.

        Args:
            handle: the decorated orchestrator.
            payload: the orchestration trigger's payload, as a dict.
        """
        self._context = _Context(**payload)
        self._context._input_expected_type = getattr(handle, "_df_input_type", None)
        self._events: list[Any] = list(self._context._histories)
        self._function = handle.orchestrator_function  # type: ignore[attr-defined]  # the library's
        self._executor: _Executor | None = None
        self._seen = 0
        self._next_length = -1
        self._calls_entities = False

    def begin(self, new_events: int) -> str:
        """Replay the history and run the episode: the library's own way.

        Args:
            new_events: how many events at the end of the history are new.
        Returns: the reply's JSON text.
        Raises: what the library raises, the form that carries a reply included.
        """
        first_new = self._events[-new_events] if new_events else None
        self._executor = _Executor(first_new)
        reply = str(self._executor.execute(self._context, self._events, self._function))
        self._check_ids(self._events[: len(self._events) - new_events])
        self._after_episode(len(self._events))
        return reply

    def _check_ids(self, committed: Sequence[Any]) -> None:
        """Say so if the host has numbered more tasks than the library has in its replay.

        From then on results reach the wrong tasks. Azure does not notice.
        """
        assert self._executor is not None
        ids = [e.event_id for e in committed if int(e.event_type) in _SCHEDULING]
        made, numbered = self._executor.sequence_at_start, max(ids, default=-1) + 1
        if made < numbered:
            log.error(
                "Instance '%s' has scheduled %d tasks, and its replay makes %d. Either its code "
                "was changed, or it yields a task alone that is in a compound made before: the "
                "library schedules that task twice.",
                self._context.instance_id,
                numbered,
                made,
            )

    @property
    def can_continue(self) -> bool:
        """Whether there is a generator that waits for a further episode."""
        executor = self._executor
        return (
            executor is not None
            and isinstance(executor.generator, GeneratorType)
            and not executor.has_execution_completed
            and not self._context._history_was_read
        )

    def fits(self, played: int) -> bool:
        """Whether this session has seen exactly a history of this many committed events."""
        return played == self._next_length

    def missing(self, played: int) -> int | None:
        """The first committed event that must be fetched before the next episode, if any."""
        return self._seen if self._calls_entities and played > self._seen else None

    def resume(self, played: int, tail: Sequence[Event] | None, new_events: list[Event]) -> str:
        """Run the next episode with the new events only.

        Args:
            tail: the committed events from `missing` on, where that asked for them.
        Returns, Raises: as `begin`.
        """
        executor, context = self._executor, self._context
        assert executor is not None
        for event in self._events:
            event._is_played = True
        context.count_as_played()
        for event in tail or ():
            executor.process_event(HistoryEvent(**event))
        executor.sequence_at_start = context._sequence_number
        self._events = [HistoryEvent(**event) for event in new_events]
        for event in self._events:
            executor.process_event(event)
            if executor.has_execution_completed:
                break
        reply = str(executor.get_orchestrator_state_str())
        self._after_episode(played + len(self._events))
        return reply

    def _after_episode(self, length: int) -> None:
        executor, context = self._executor, self._context
        assert executor is not None
        context._histories, context._whole_history = [], False
        scheduled = range(executor.sequence_at_start, context._sequence_number)
        self._seen, self._next_length = length, length + len(scheduled) + 1
        self._calls_entities = any(
            getattr(context.open_tasks.get(task_id), "_api_name", "") == "CallEntityAction"
            for task_id in scheduled
        )


class Sessions:
    """The sessions of a worker, the least recently used dropped first. Used by one thread."""

    def __init__(self, limit: int) -> None:
        """Args: limit: how many are kept; 0 replays every episode in full."""
        self._limit = limit
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def run(self, handle: Callable[..., str], frame: Frame) -> str | HistoryNeeded:
        """Run one episode.

        Args:
            handle: the decorated orchestrator.
            frame: the `orchestrate` frame; `history` in it holds the committed events from
                `history_start` on, where they were asked for.
        Returns: the reply's text, or that the episode must be sent again with its history.
        Raises: what the library raises.
        """
        key, played = (frame["instance"], frame["execution"]), int(frame["played"])
        session = self._sessions.pop(key, None)
        history: list[Event] | None = frame.get("history")
        if session is not None and session.fits(played):
            missing = session.missing(played)
            if missing is None or (history is not None and frame["history_start"] == missing):
                try:
                    reply = session.resume(played, history, frame["events"])
                except _ReplayInstead:
                    return HistoryNeeded(0)
                return self._keep(key, session, reply)
            self._sessions[key] = session
            return HistoryNeeded(missing)
        if played and (history is None or frame["history_start"] != 0):
            return HistoryNeeded(0)
        session = Session(handle, payload_of(frame, history or []))
        return self._keep(key, session, session.begin(len(frame["events"])))

    def _keep(self, key: tuple[str, str], session: Session, reply: str) -> str:
        if session.can_continue and self._limit > 0:
            self._sessions[key] = session
            while len(self._sessions) > self._limit:
                self._sessions.popitem(last=False)
        return reply
