"""How an execution is stored: one row for each episode, never rewritten, folded to give the state.

A row has two JSON texts: the history events that the episode added, and its marks: what is not in
the events (inputs of open tasks, retry options, the leaves of the reply, cancelled timers). An
episode costs what it adds, however many came before it. Pure.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from emulator.taskhub.events import (
    CHILD_COMPLETED,
    EVENT_RAISED,
    ORCHESTRATOR_STARTED,
    TASK_COMPLETED,
)
from emulator.taskhub.model import Event
from emulator.taskhub.state import Instance, Kind, Retry, Task
from emulator.taskhub.times import parse

_dumps = json.JSONEncoder(separators=(",", ":")).encode
_ALL = tuple(name for name in Task.__dataclass_fields__ if name not in ("id", "kind"))
# A later attempt and a retry timer do not repeat what the record of their first attempt says.
_OWN = ("root", "attempt", "last", "due", "child_id", "cancelled", "unscheduled")
_DEFAULTS = {name: Task.__dataclass_fields__[name].default for name in _ALL}

# What a row holds: events and marks.
Row = tuple[str, str | None]


@dataclass(slots=True)
class Marks:
    """What an episode's row says besides its events.

    Attributes:
        tasks: the tasks it made.
        leaves: `[type, name, task id]` of the leaves its reply brought.
        cancelled: ids of timers that its reply cancelled.
    """

    tasks: list[Task] = field(default_factory=list)
    leaves: list[tuple[int, str, int]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)

    def encode(self) -> str | None:
        """The stored form; None if there is nothing to say."""
        if not (self.tasks or self.leaves or self.cancelled):
            return None
        return _dumps([[_record(task) for task in self.tasks], self.leaves, self.cancelled])


def encode_events(events: list[Event]) -> str:
    """The stored form of an episode's events, which count as played from then on."""
    for event in events:
        event["IsPlayed"] = True
    return _dumps(events)


def decode_row_events(text: str) -> list[Event]:
    """The events of a row."""
    stored: list[Event] = json.loads(text)
    return stored


def fold(instance: Instance, rows: list[Row]) -> None:
    """Bring a new instance to the state that its stored episodes describe."""
    clock = None
    for events_text, marks_text in rows:
        events = decode_row_events(events_text)
        instance.add_chunk(events_text, len(events))
        if marks_text is not None:
            apply_marks(instance, decode_marks(marks_text, instance.roots))
        for event in events:
            apply_event(instance, event)
            if event["EventType"] == ORCHESTRATOR_STARTED:
                clock = event["Timestamp"]
    if clock is not None:
        instance.clock = parse(clock)


def decode_marks(text: str, roots: dict[int, Task]) -> Marks:
    """Read marks; `roots` are the first attempts that earlier rows made, and gains this row's."""
    tasks, leaves, cancelled = json.loads(text)
    return Marks(
        [_task(record, roots) for record in tasks],
        [(kind, name, task_id) for kind, name, task_id in leaves],
        cancelled,
    )


def apply_marks(instance: Instance, marks: Marks) -> None:
    """Open an episode's tasks, remember its leaves, cancel its timers."""
    for task in marks.tasks:
        instance.add_task(task)
        instance.next_id = max(instance.next_id, task.id + 1)
    for kind, name, task_id in marks.leaves:
        instance.note_leaf((kind, name), task_id)
    for task_id in marks.cancelled:
        instance.cancel_timer(task_id)


def apply_event(instance: Instance, event: Event) -> None:
    """Close what an event completes, count it if it is an external event."""
    task_id = instance.completed_id(event)
    if task_id is not None:
        task = instance.close_task(task_id)
        if task.root >= 0 and (
            task.last or event["EventType"] in (TASK_COMPLETED, CHILD_COMPLETED)
        ):
            instance.roots.pop(task.root, None)
    elif event["EventType"] == EVENT_RAISED:
        instance.delivered[event["Name"]] += 1


def derive(task_id: int, kind: Kind, root: Task, **own: Any) -> Task:
    """A later attempt, or a retry timer, of a first attempt."""
    return Task(
        task_id,
        kind,
        name=root.name,
        input=root.input,
        root=root.id,
        retry=root.retry,
        explicit=root.explicit,
        version=root.version,
        **own,
    )


def _record(task: Task) -> list[Any]:
    extra: dict[str, Any] = {}
    for name in _OWN if 0 <= task.root != task.id else _ALL:
        value = getattr(task, name)
        if value != _DEFAULTS[name]:
            extra[name] = value
    retry = extra.get("retry")
    if retry is not None:
        extra["retry"] = [
            retry.first_interval_ms,
            retry.max_attempts,
            retry.coefficient,
            retry.max_interval_ms,
        ]
    return [task.id, task.kind, extra]


def _task(record: list[Any], roots: dict[int, Task]) -> Task:
    task_id, kind, extra = record
    root = extra.pop("root", -1)
    if root >= 0 and root != task_id:
        return derive(task_id, Kind(kind), roots[root], **extra)
    if "retry" in extra:
        extra["retry"] = Retry(*extra["retry"])
    task = Task(task_id, Kind(kind), root=root, **extra)
    if root == task_id:
        roots[task_id] = task
    return task
