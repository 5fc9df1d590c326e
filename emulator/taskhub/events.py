"""Makes history events: the records of what happened, in the shape that the SDK replays.

One function for each kind of event that this task hub writes. Field names, their spelling and the
four fields that every event has are the protocol's; the SDK breaks on anything else.

Source: protocol specification, 2.2 to 2.4.
"""

from enum import IntEnum
from typing import Any

from emulator.taskhub.model import Event
from emulator.taskhub.times import stamp


class EventType(IntEnum):
    """The numbers of history events."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_FAILED = 2
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_ORCHESTRATION_INSTANCE_CREATED = 7
    SUB_ORCHESTRATION_INSTANCE_COMPLETED = 8
    SUB_ORCHESTRATION_INSTANCE_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_SENT = 14
    EVENT_RAISED = 15
    CONTINUE_AS_NEW = 16
    GENERIC_EVENT = 17
    HISTORY_STATE = 18
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20
    EXECUTION_REWOUND = 21


# Plain integers: these are compared once for every event of every episode.
ORCHESTRATOR_STARTED = int(EventType.ORCHESTRATOR_STARTED)
TASK_COMPLETED = int(EventType.TASK_COMPLETED)
TASK_FAILED = int(EventType.TASK_FAILED)
CHILD_COMPLETED = int(EventType.SUB_ORCHESTRATION_INSTANCE_COMPLETED)
CHILD_FAILED = int(EventType.SUB_ORCHESTRATION_INSTANCE_FAILED)
TIMER_FIRED = int(EventType.TIMER_FIRED)
EVENT_RAISED = int(EventType.EVENT_RAISED)
FAILURES = frozenset({TASK_FAILED, CHILD_FAILED})
COMPLETIONS = frozenset({TASK_COMPLETED, TASK_FAILED, CHILD_COMPLETED, CHILD_FAILED})


def event(kind: int, at: int, event_id: int = -1, **fields: Any) -> Event:
    """An event with the four fields that all have."""
    return {
        "EventType": int(kind),
        "EventId": event_id,
        "IsPlayed": False,
        "Timestamp": stamp(at),
        **fields,
    }


def orchestrator_started(at: int) -> Event:
    """Begins an episode; its timestamp is the only clock that orchestrators see."""
    return event(EventType.ORCHESTRATOR_STARTED, at)


def orchestrator_completed(at: int) -> Event:
    """Ends an episode."""
    return event(EventType.ORCHESTRATOR_COMPLETED, at)


def execution_started(
    at: int,
    *,
    name: str,
    version: str,
    input_text: str | None,
    instance_id: str,
    execution_id: str,
    parent_instance_id: str | None,
) -> Event:
    """Begins an execution; `Version` is what `context.version` shows."""
    parent = None
    if parent_instance_id is not None:
        parent = {"OrchestrationInstance": {"InstanceId": parent_instance_id}}
    return event(
        EventType.EXECUTION_STARTED,
        at,
        Name=name,
        Version=version,
        Input=input_text,
        OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
        ParentInstance=parent,
        Tags=None,
    )


def execution_completed(at: int, status: str, result: str | None) -> Event:
    """Ends an execution, well or not."""
    return event(EventType.EXECUTION_COMPLETED, at, OrchestrationStatus=status, Result=result)


def execution_terminated(at: int, reason: str | None) -> Event:
    return event(EventType.EXECUTION_TERMINATED, at, Input=reason)


def execution_suspended(at: int, reason: str | None) -> Event:
    return event(EventType.EXECUTION_SUSPENDED, at, Reason=reason)


def execution_resumed(at: int, reason: str | None) -> Event:
    return event(EventType.EXECUTION_RESUMED, at, Reason=reason)


def task_scheduled(at: int, task_id: int, name: str, input_text: str | None) -> Event:
    return event(EventType.TASK_SCHEDULED, at, task_id, Name=name, Version="", Input=input_text)


def task_completed(at: int, task_id: int, result: str | None) -> Event:
    return event(EventType.TASK_COMPLETED, at, TaskScheduledId=task_id, Result=result)


def task_failed(at: int, task_id: int, reason: str, details: str | None) -> Event:
    return event(EventType.TASK_FAILED, at, TaskScheduledId=task_id, Reason=reason, Details=details)


def child_created(
    at: int, task_id: int, *, name: str, instance_id: str, version: str, input_text: str | None
) -> Event:
    return event(
        EventType.SUB_ORCHESTRATION_INSTANCE_CREATED,
        at,
        task_id,
        Name=name,
        InstanceId=instance_id,
        Version=version,
        Input=input_text,
    )


def child_completed(at: int, task_id: int, result: str | None) -> Event:
    return event(
        EventType.SUB_ORCHESTRATION_INSTANCE_COMPLETED, at, TaskScheduledId=task_id, Result=result
    )


def child_failed(at: int, task_id: int, reason: str | None, details: str | None) -> Event:
    return event(
        EventType.SUB_ORCHESTRATION_INSTANCE_FAILED,
        at,
        TaskScheduledId=task_id,
        Reason=reason,
        Details=details,
    )


def timer_created(at: int, task_id: int, due: int) -> Event:
    return event(EventType.TIMER_CREATED, at, task_id, FireAt=stamp(due))


def timer_fired(at: int, task_id: int, due: int) -> Event:
    return event(EventType.TIMER_FIRED, at, TimerId=task_id, FireAt=stamp(due))


def event_sent(at: int, task_id: int, entity_id: str, request: str) -> Event:
    return event(EventType.EVENT_SENT, at, task_id, InstanceId=entity_id, Name="op", Input=request)


def event_raised(at: int, name: str, input_text: str | None) -> Event:
    return event(EventType.EVENT_RAISED, at, Name=name, Input=input_text)


def generic(at: int, reason: str | None) -> Event:
    """A placeholder: it keeps a place in the history and means nothing to the SDK."""
    return event(EventType.GENERIC_EVENT, at, Data=reason)
