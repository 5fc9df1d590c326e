"""The state of one orchestration instance: its open tasks, awaited events, timers and verdict.

Only values and their bookkeeping; which events change them and when is `episode`'s subject, and how
they are stored and made again is `chunks`'. Pure: no I/O, no clock.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heappop, heappush

from emulator.taskhub.actions import WAIT_FOR_EVENT, LeafKey
from emulator.taskhub.events import COMPLETIONS, EVENT_RAISED, TIMER_FIRED
from emulator.taskhub.model import Event


class Status(StrEnum):
    """Runtime statuses, in the vendor's words."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"
    CANCELED = "Canceled"
    CONTINUED_AS_NEW = "ContinuedAsNew"


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.CANCELED})


class Kind(StrEnum):
    """What a task id stands for."""

    ACTIVITY = "activity"
    HTTP = "http"
    CHILD = "child"
    TIMER = "timer"
    RETRY_TIMER = "retry"
    ENTITY = "entity"
    SIGNAL = "signal"


# Kinds whose open tasks keep an execution from ending.
BLOCKING = frozenset({Kind.ACTIVITY, Kind.HTTP, Kind.CHILD, Kind.TIMER, Kind.RETRY_TIMER})
# Kinds that the engine itself carries out as work items.
WORK = frozenset({Kind.ACTIVITY, Kind.HTTP})


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry options as the action has them; times in milliseconds."""

    first_interval_ms: int
    max_attempts: int
    coefficient: float = 1.0
    max_interval_ms: int | None = None

    def delay_micros(self, attempt: int) -> int:
        """How long to wait after this attempt, counted from 1."""
        delay = self.first_interval_ms * self.coefficient ** (attempt - 1)
        if self.max_interval_ms is not None:
            delay = min(delay, self.max_interval_ms)
        return int(delay * 1000)


@dataclass(slots=True)
class Task:
    """One task id of an execution.

    Attributes:
        name: the function's name; for entity kinds the entity's id; for HTTP calls empty.
        input: what is handed on, as text; an HTTP call's request as JSON text.
        root: for attempts and retry timers, the id of the first attempt.
        attempt: the attempt's number from 1, or the one a retry timer follows; 0 without retry.
        last: a retry timer after the last attempt.
        due: when a timer fires, in microseconds.
        child_id, explicit, version: of a sub-orchestration; `explicit` if the user chose the id.
        operation, request: of an entity kind; `request` is the id that its answer will carry.
        cancelled: a timer that never fires.
        unscheduled: a rewind took its failure back; the next episode schedules it again.
    """

    id: int
    kind: Kind
    name: str = ""
    input: str | None = None
    root: int = -1
    attempt: int = 0
    retry: Retry | None = None
    last: bool = False
    due: int = 0
    child_id: str | None = None
    explicit: bool = False
    version: str | None = None
    operation: str = ""
    request: str | None = None
    cancelled: bool = False
    unscheduled: bool = False

    @property
    def is_work(self) -> bool:
        """Whether the engine carries this task out itself."""
        return self.kind in WORK

    @property
    def is_blocking(self) -> bool:
        """Whether an execution waits for this task before it ends."""
        return self.kind in BLOCKING and not self.cancelled


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an execution ends once nothing blocks it.

    Attributes:
        output: the stored text.
        details: for a failure, what a parent is told besides.
        carried_input: for ContinuedAsNew, the next generation's input text.
    """

    status: Status
    output: str | None = None
    details: str | None = None
    carried_input: str | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """Whom a sub-orchestration answers."""

    instance_id: str
    execution_id: str
    task_id: int


@dataclass(slots=True)
class Instance:
    """An instance and its present execution.

    Attributes:
        key: the stored row's number.
        turn: how many commits changed it; a commit states the turn it builds on.
        chunks: the history, one JSON text for each stored episode.
        length: how many events the history has; `size`: how many characters input and history are.
        log, log_ids: the leaves of all replies so far, and their task ids (-1: none).
        open: tasks without a completion; `requests` finds the open entity calls by request id.
        roots: first attempts of tasks that may still be retried.
        waits, delivered: external events by name: how many were awaited, how many were given.
        blocking: how many open tasks keep the execution from ending.
        working: how many open tasks are work items.
        held: open tasks that count as closed: they failed after the verdict and could be retried.
        timers: a heap of (due, id); what is no longer open in it is skipped.
        clock: the timestamp of the last episode, which the next must exceed.
        last_reply: the text of the last reply; the same text again asks for nothing new.
    """

    key: int
    id: str
    execution_id: str
    name: str
    version: str | None
    input: str | None
    parent: Parent | None = None
    status: Status = Status.PENDING
    created: int = 0
    turn: int = 0
    custom_status: str | None = None
    output: str | None = None
    verdict: Verdict | None = None
    chunks: list[str] = field(default_factory=list)
    length: int = 0
    size: int = 0
    log: list[LeafKey] = field(default_factory=list)
    log_ids: list[int] = field(default_factory=list)
    next_id: int = 0
    open: dict[int, Task] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    roots: dict[int, Task] = field(default_factory=dict)
    waits: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    blocking: int = 0
    working: int = 0
    held: set[int] = field(default_factory=set)
    timers: list[tuple[int, int]] = field(default_factory=list)
    clock: int = 0
    last_reply: str | None = None

    @property
    def is_started(self) -> bool:
        """Whether this execution has a history."""
        return self.length > 0

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    def __post_init__(self) -> None:
        self.size = len(self.input or "")

    def add_chunk(self, text: str, count: int) -> None:
        """Add an episode's events to the history."""
        self.chunks.append(text)
        self.length += count
        self.size += len(text)

    def history(self) -> list[Event]:
        """All committed events, marked as played."""
        events: list[Event] = []
        for chunk in self.chunks:
            events.extend(json.loads(chunk))
        return events

    def add_task(self, task: Task) -> None:
        """Open a task, or replace the record of one that is open; a signal is never answered."""
        if task.kind is Kind.SIGNAL:
            return
        if task.id in self.open:
            self.close_task(task.id)
        self.open[task.id] = task
        self.blocking += self.blocks(task)
        self.working += task.is_work
        if task.request is not None:
            self.requests[task.request] = task.id
        if task.kind in (Kind.TIMER, Kind.RETRY_TIMER) and not task.cancelled:
            heappush(self.timers, (task.due, task.id))
        if task.root == task.id:
            self.roots[task.id] = task

    def close_task(self, task_id: int) -> Task:
        """Close a task that is open."""
        task = self.open.pop(task_id)
        self.blocking -= self.blocks(task)
        self.working -= task.is_work
        if task.request is not None:
            self.requests.pop(task.request, None)
        return task

    def blocks(self, task: Task) -> bool:
        """Whether this execution waits for an open task before it ends.

        With the orchestrator's verdict known, nobody waits for a further attempt.
        """
        if task.kind is Kind.RETRY_TIMER and self.verdict is not None:
            return False
        return task.is_blocking and task.id not in self.held

    def set_verdict(self, verdict: Verdict) -> None:
        """Remember how the execution ends; from now on only its open tasks hold it."""
        self.verdict = verdict
        self.blocking = sum(map(self.blocks, self.open.values()))

    def hold(self, task_id: int) -> None:
        """Count a task as closed whose completion is kept for a rewind."""
        self.blocking -= self.blocks(self.open[task_id])
        self.held.add(task_id)

    def cancel_timer(self, task_id: int) -> bool:
        """Cancel a timer if it is open; it never fires then."""
        task = self.open.get(task_id)
        if task is None or task.kind is not Kind.TIMER or task.cancelled:
            return False
        self.blocking -= self.blocks(task)
        task.cancelled = True
        return True

    def next_due(self) -> int | None:
        """When the next timer fires, or None."""
        timers = self.timers
        while timers:
            task = self.open.get(timers[0][1])
            if task is not None and not task.cancelled:
                return timers[0][0]
            heappop(timers)
        return None

    def pop_timer(self) -> int:
        """Take the first timer off the heap; `next_due` has said that there is one."""
        return heappop(self.timers)[1]

    def auto_child_id(self) -> str:
        """The instance id of a sub-orchestration that is scheduled next and was given none."""
        return f"{self.execution_id}:{self.next_id}"

    def completed_id(self, event: Event) -> int | None:
        """The id of the open task that an event completes, if it completes one."""
        kind = event["EventType"]
        if kind in COMPLETIONS:
            task_id = event["TaskScheduledId"]
        elif kind == TIMER_FIRED:
            task_id = event["TimerId"]
        elif kind == EVENT_RAISED:
            task_id = self.requests.get(event["Name"], -1)
        else:
            return None
        return task_id if task_id in self.open else None

    def note_leaf(self, key: LeafKey, task_id: int) -> None:
        """Remember a leaf that a reply brought."""
        self.log.append(key)
        self.log_ids.append(task_id)
        if key[0] == WAIT_FOR_EVENT:
            self.waits[key[1]] += 1
