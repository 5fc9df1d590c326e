"""Replays a recorded history at every prefix and compares what is requested with what was recorded.

The 1.x library does not notice non-determinism: rename an activity and it hands the old result to
the new call. So the requested actions are compared here. Pure but for the library that is run.
Timers are compared as instants, since the host may drop trailing zeros. Inputs are not compared: a
newer version may send more to an activity.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.durable_functions.models import DurableOrchestrationContext
from azure.durable_functions.orchestrator import Orchestrator

Event = dict[str, Any]
Orchestration = Callable[[Any], Any]

EXECUTION_STARTED, EXECUTION_COMPLETED = 0, 1
TASK_SCHEDULED, TASK_COMPLETED, TASK_FAILED = 4, 5, 6
CHILD_CREATED, CHILD_COMPLETED, CHILD_FAILED = 7, 8, 9
TIMER_CREATED, TIMER_FIRED = 10, 11
ORCHESTRATOR_STARTED, ORCHESTRATOR_COMPLETED = 12, 13
_SCHEDULING = (TASK_SCHEDULED, CHILD_CREATED, TIMER_CREATED)
_KINDS = {0: TASK_SCHEDULED, 2: CHILD_CREATED, 5: TIMER_CREATED}


@dataclass(frozen=True)
class Recording:
    """One history with its story; `history` is what the task hub keeps."""

    story: str
    orchestrator: str
    instance_id: str
    input: Any
    history: list[Event]

    @classmethod
    def load(cls, path: Path) -> "Recording":
        value = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            value["story"],
            value["orchestrator"],
            value["instanceId"],
            value["input"],
            value["history"],
        )

    def to_text(self) -> str:
        value = {
            "story": self.story,
            "orchestrator": self.orchestrator,
            "instanceId": self.instance_id,
            "input": self.input,
            "history": self.history,
        }
        return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Reply:
    """What one episode came to."""

    actions: list[dict[str, Any]]
    is_done: bool
    output: Any
    error: str | None
    custom_status: Any


def run_episode(
    orchestration: Orchestration, instance_id: str, value: Any, history: Sequence[Event]
) -> Reply:
    """Runs the real library on this history and returns its reply with the actions flattened."""
    payload = {
        "history": list(history),
        "instanceId": instance_id,
        "isReplaying": True,
        "parentInstanceId": None,
        "input": json.dumps(value),
        "upperSchemaVersion": 1,
        "upperSchemaVersionNew": 2,
        "maximumShortTimerDuration": "6.00:00:00",
        "longRunningTimerIntervalDuration": "3.00:00:00",
    }
    context = DurableOrchestrationContext.from_json(json.dumps(payload))
    try:
        text = Orchestrator(orchestration).handle(context)
    except Exception as error:
        # The library puts the reply of a failed orchestrator behind this mark.
        _, mark, text = str(error).rpartition("\n\n$OutOfProcData$:")
        if not mark:
            raise
    reply = json.loads(text)
    return Reply(
        actions=list(leaves(reply["actions"][0])),
        is_done=reply["isDone"],
        output=reply.get("output"),
        error=reply.get("error"),
        custom_status=reply.get("customStatus"),
    )


def leaves(actions: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The atomic actions, depth first and left to right."""
    for action in actions:
        if action["actionType"] in (11, 12):
            yield from leaves(action["compoundActions"])
        else:
            yield action


def episodes(history: Sequence[Event]) -> Iterator[tuple[list[Event], list[Event]]]:
    """For every episode: the history it is given, and all that was scheduled when it had ended."""
    given: list[Event] = []
    for event in history:
        if event["EventType"] == ORCHESTRATOR_COMPLETED:
            scheduled = [e for e in given if e["EventType"] in _SCHEDULING]
            yield _as_seen(given), scheduled
        given.append(event)


def differences(actions: Sequence[dict[str, Any]], scheduled: Sequence[Event]) -> list[str]:
    """What is requested otherwise than it was recorded; empty when both agree."""
    found = []
    for n in range(max(len(actions), len(scheduled))):
        now = _wanted(actions[n]) if n < len(actions) else "nothing"
        then = _recorded(scheduled[n]) if n < len(scheduled) else "nothing"
        if now != then:
            found.append(f"task {n}: recorded {then}, requested {now}")
    return found


def _as_seen(given: list[Event]) -> list[Event]:
    """Without what the running episode itself schedules and how it ends."""
    start = max(n for n, e in enumerate(given) if e["EventType"] == ORCHESTRATOR_STARTED)
    own = (*_SCHEDULING, EXECUTION_COMPLETED)
    tail = [{**e, "IsPlayed": False} for e in given[start:] if e["EventType"] not in own]
    return [{**e, "IsPlayed": True} for e in given[:start]] + tail


def _wanted(action: dict[str, Any]) -> str:
    kind = _KINDS[action["actionType"]]
    if kind == TIMER_CREATED:
        return f"a timer at {_instant(action['fireAt'])}"
    if kind == CHILD_CREATED:
        return f"orchestrator {action['functionName']} as {action['instanceId']}"
    return f"activity {action['functionName']}"


def _recorded(event: Event) -> str:
    if event["EventType"] == TIMER_CREATED:
        return f"a timer at {_instant(event['FireAt'])}"
    if event["EventType"] == CHILD_CREATED:
        return f"orchestrator {event['Name']} as {event['InstanceId']}"
    return f"activity {event['Name']}"


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).isoformat()
