"""Takes back the failures that ended an execution: what its history and tasks are afterwards. Pure.

Failed tasks become open again under their ids, and their events become placeholders. The final
timer of an exhausted retry is taken back with its id, which the SDK will not use again: all later
ids move down. Failures that the code has dealt with stay, since removing them would let a replay
go another way.

Source: protocol specification, 10.10. Called by `rewinding`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from emulator.taskhub.chunks import Marks, Row, decode_marks, decode_row_events
from emulator.taskhub.events import FAILURES, ORCHESTRATOR_STARTED, TIMER_FIRED, EventType
from emulator.taskhub.model import Event
from emulator.taskhub.state import Kind, Task

_NUMBERED = frozenset(
    {
        EventType.TASK_SCHEDULED,
        EventType.SUB_ORCHESTRATION_INSTANCE_CREATED,
        EventType.TIMER_CREATED,
        EventType.EVENT_SENT,
    }
)


@dataclass(slots=True)
class Rewound:
    """An execution after its rewind.

    Attributes:
        events, marks: the one row that takes the place of all.
        failed: the tasks whose failure was taken back, under their new ids; none is marked yet.
    """

    events: list[Event]
    marks: Marks
    failed: list[Task]
    _removed: list[int] = field(default_factory=list)

    def renumber(self, event: Event) -> None:
        """Give an event that refers to a task the task's new id."""
        kind = event["EventType"]
        if kind in _NUMBERED:
            event["EventId"] = self.new_id(event["EventId"])
        for name in ("TaskScheduledId", "TimerId"):
            if name in event:
                event[name] = self.new_id(event[name])

    def new_id(self, task_id: int) -> int:
        """The id that a task has after the rewind."""
        return task_id - bisect_left(self._removed, task_id)


def rewind_rows(rows: Sequence[Row], reason: str | None) -> Rewound:
    """Rewind a failed execution's stored rows."""
    events: list[Event] = []
    tasks: dict[int, Task] = {}
    marks, roots = Marks(), dict[int, Task]()
    for events_text, marks_text in rows:
        events += decode_row_events(events_text)
        if marks_text is not None:
            row = decode_marks(marks_text, roots)
            tasks.update((task.id, task) for task in row.tasks)
            marks.leaves += row.leaves
            marks.cancelled += row.cancelled
    failed, timers = _failures(events, tasks)
    rewound = Rewound(
        [_taken_back(event, failed, timers, reason) for event in events],
        marks,
        [tasks[task_id] for task_id in sorted(failed)],
        sorted(timers),
    )
    for event in rewound.events:
        rewound.renumber(event)
    for task_id in timers:
        del tasks[task_id]
    for task in tasks.values():
        task.id = rewound.new_id(task.id)
        task.root = rewound.new_id(task.root) if task.root >= 0 else task.root
    marks.tasks = [tasks[task_id] for task_id in sorted(tasks)]
    marks.leaves = [
        (kind, name, rewound.new_id(task_id) if task_id >= 0 else task_id)
        for kind, name, task_id in marks.leaves
    ]
    marks.cancelled = [rewound.new_id(task_id) for task_id in marks.cancelled]
    return rewound


def _failures(events: Sequence[Event], tasks: dict[int, Task]) -> tuple[set[int], set[int]]:
    """Ids of the tasks whose failure ended the execution, and of the final timers among them."""
    last = max(
        index for index, event in enumerate(events) if event["EventType"] == ORCHESTRATOR_STARTED
    )
    failed: set[int] = set()
    timers: set[int] = set()
    for event in events[last:]:
        if event["EventType"] in FAILURES:
            if tasks[event["TaskScheduledId"]].attempt == 0:
                failed.add(event["TaskScheduledId"])
        elif event["EventType"] == TIMER_FIRED:
            timer = tasks[event["TimerId"]]
            if timer.kind is Kind.RETRY_TIMER and timer.last:
                timers.add(timer.id)
                failed.add(_attempt_before(timer, tasks).id)
    return failed, timers


def _attempt_before(timer: Task, tasks: dict[int, Task]) -> Task:
    """The attempt that a retry timer follows."""
    return next(
        task
        for task in tasks.values()
        if task.root == timer.root
        and task.attempt == timer.attempt
        and task.kind is not Kind.RETRY_TIMER
    )


def _taken_back(event: Event, failed: set[int], timers: set[int], reason: str | None) -> Event:
    """The event, or a placeholder for one that is taken back."""
    kind = event["EventType"]
    if (
        kind == EventType.EXECUTION_COMPLETED
        or (kind in FAILURES and event["TaskScheduledId"] in failed)
        or (kind == EventType.TASK_SCHEDULED and event["EventId"] in failed)
        or (kind == EventType.TIMER_CREATED and event["EventId"] in timers)
        or (kind == EventType.TIMER_FIRED and event["TimerId"] in timers)
    ):
        return {
            "EventType": int(EventType.GENERIC_EVENT),
            "EventId": -1,
            "IsPlayed": True,
            "Timestamp": event["Timestamp"],
            "Data": reason,
        }
    return event
