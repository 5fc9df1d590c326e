"""Makes the status bodies of the management API, the history for readers among them. Pure.

Stored texts go into a body as they are, so that numbers, dates and the order of keys stay what the
app wrote; a text that is not JSON (a failure's message, a reason) goes in as a string.

Source: protocol specification, 9.
"""

import json
from typing import Any

from emulator.taskhub.events import COMPLETIONS, EventType
from emulator.taskhub.model import Event
from emulator.taskhub.queries import Snapshot
from emulator.taskhub.times import whole_seconds

_NAMES = {
    EventType.EXECUTION_STARTED: "ExecutionStarted",
    EventType.EXECUTION_COMPLETED: "ExecutionCompleted",
    EventType.EXECUTION_FAILED: "ExecutionFailed",
    EventType.EXECUTION_TERMINATED: "ExecutionTerminated",
    EventType.TASK_SCHEDULED: "TaskScheduled",
    EventType.TASK_COMPLETED: "TaskCompleted",
    EventType.TASK_FAILED: "TaskFailed",
    EventType.SUB_ORCHESTRATION_INSTANCE_CREATED: "SubOrchestrationInstanceCreated",
    EventType.SUB_ORCHESTRATION_INSTANCE_COMPLETED: "SubOrchestrationInstanceCompleted",
    EventType.SUB_ORCHESTRATION_INSTANCE_FAILED: "SubOrchestrationInstanceFailed",
    EventType.TIMER_CREATED: "TimerCreated",
    EventType.TIMER_FIRED: "TimerFired",
    EventType.EVENT_SENT: "EventSent",
    EventType.EVENT_RAISED: "EventRaised",
    EventType.CONTINUE_AS_NEW: "ContinueAsNew",
    EventType.GENERIC_EVENT: "GenericEvent",
    EventType.HISTORY_STATE: "HistoryState",
    EventType.EXECUTION_SUSPENDED: "ExecutionSuspended",
    EventType.EXECUTION_RESUMED: "ExecutionResumed",
    EventType.EXECUTION_REWOUND: "ExecutionRewound",
}
_LEFT_OUT = {EventType.ORCHESTRATOR_STARTED, EventType.ORCHESTRATOR_COMPLETED}
_SCHEDULING = {EventType.TASK_SCHEDULED, EventType.SUB_ORCHESTRATION_INSTANCE_CREATED}
_OF_START = ("OrchestrationInstance", "ParentInstance", "Version", "Tags")


def body_of(snapshot: Snapshot, show_input: bool, history: list[Any] | None = None) -> str:
    """The status body.

    Args:
        history: what `history_for_readers` made; None leaves it out.
    """
    members = {
        "name": json.dumps(snapshot.name),
        "instanceId": json.dumps(snapshot.id),
        "runtimeStatus": json.dumps(snapshot.status),
        "input": as_json(snapshot.input) if show_input else "null",
        "customStatus": as_json(snapshot.custom_status),
        "output": as_json(snapshot.output),
        "createdTime": json.dumps(whole_seconds(snapshot.created)),
        "lastUpdatedTime": json.dumps(whole_seconds(snapshot.updated)),
    }
    if history is not None:
        members["historyEvents"] = json.dumps(history)
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"


def as_json(text: str | None) -> str:
    """A stored text as it goes into a body."""
    if text is None:
        return "null"
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def history_for_readers(
    history: list[Event], show_input: bool, show_output: bool
) -> list[dict[str, Any]]:
    """The history as the status body shows it: names for numbers, one event for one task."""
    scheduled = {event["EventId"]: event for event in history if event["EventType"] in _SCHEDULING}
    completed = {event["TaskScheduledId"] for event in history if event["EventType"] in COMPLETIONS}
    return [
        _shown(event, scheduled, show_input, show_output)
        for event in history
        if event["EventType"] not in _LEFT_OUT
        and not (event["EventType"] in _SCHEDULING and event["EventId"] in completed)
    ]


def _shown(
    event: Event, scheduled: dict[int, Event], show_input: bool, show_output: bool
) -> dict[str, Any]:
    kind = event["EventType"]
    shown = {name: value for name, value in event.items() if name not in ("EventId", "IsPlayed")}
    shown["EventType"] = _NAMES.get(kind, str(kind))
    if not show_input:
        shown.pop("Input", None)
    if "Result" in shown:
        result = shown.pop("Result")
        if show_output:
            shown["Result"] = _parsed(result)
    if kind == EventType.EXECUTION_STARTED:
        shown["FunctionName"] = shown.pop("Name")
        for name in _OF_START:
            shown.pop(name, None)
    elif kind in COMPLETIONS:
        source = scheduled.get(shown.pop("TaskScheduledId"))
        if source is not None:
            shown["ScheduledTime"] = source["Timestamp"]
            shown["FunctionName"] = source["Name"]
    elif kind == EventType.TIMER_FIRED:
        shown.pop("TimerId", None)
    return shown


def _parsed(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
