"""Drives an orchestrator through the real library with scripted answers and keeps the history.

A task hub of one instance: it answers one outstanding task an episode, in the order that the script
gives, on a clock of its own. Also records new histories:

    python -m tests.support.recording tests/replay/histories

writes the stories of `STORIES` that have no file yet, and touches no other.
"""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support import replay
from tests.support.replay import Event, Orchestration, Recording, Reply, run_episode

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
TICK = timedelta(milliseconds=250)


@dataclass(frozen=True)
class Failed:
    """An answer: the activity, or the child, failed with this text."""

    text: str


@dataclass(frozen=True)
class Asked:
    """A task that is outstanding."""

    id: int
    name: str
    input: Any
    instance_id: str | None = None
    fire_at: datetime | None = None


Answer = Callable[[Asked], Any]
Pick = Callable[[list[Asked]], Asked]


def first(outstanding: list[Asked]) -> Asked:
    """Answers in the order of asking."""
    return outstanding[0]


class Driver:
    """One instance, from its start to its end.

    Args:
        answer: the result of a task, or `Failed`; not asked for timers.
        pick: which outstanding task ends next.
    """

    def __init__(
        self,
        orchestration: Orchestration,
        value: Any,
        answer: Answer,
        *,
        instance_id: str = "ORD-1",
        pick: Pick = first,
    ) -> None:
        self.history: list[Event] = []
        self.asked: list[Asked] = []
        self.statuses: list[Any] = []
        self._orchestration = orchestration
        self._value = value
        self._answer = answer
        self._pick = pick
        self._instance_id = instance_id
        self._now = START
        self._open: list[Asked] = []

    def run(self) -> Reply:
        """Runs it to its end and returns the last reply."""
        name = self._orchestration.__name__
        new = [self._event(replay.EXECUTION_STARTED, Name=name, Version="", Input=None)]
        while True:
            reply = self._episode(new)
            if reply.is_done or reply.error is not None:
                return reply
            assert self._open, "The orchestrator waits for nothing."
            task = self._pick(self._open)
            self._open.remove(task)
            if task.fire_at is not None:
                self._now = max(self._now, task.fire_at)
            new = [self._completion(task)]

    def _episode(self, new: list[Event]) -> Reply:
        self._now += TICK
        self.history += [self._event(replay.ORCHESTRATOR_STARTED), *new]
        seen = [{**event, "IsPlayed": event not in new} for event in self.history]
        reply = run_episode(self._orchestration, self._instance_id, self._value, seen)
        self.statuses.append(reply.custom_status)
        for action in reply.actions[len(self.asked) :]:
            self._schedule(action)
        if reply.is_done or reply.error is not None:
            status = "Failed" if reply.error is not None else "Completed"
            result = reply.error if reply.error is not None else json.dumps(reply.output)
            self.history.append(
                self._event(replay.EXECUTION_COMPLETED, OrchestrationStatus=status, Result=result)
            )
        self.history.append(self._event(replay.ORCHESTRATOR_COMPLETED))
        return reply

    def _schedule(self, action: dict[str, Any]) -> None:
        number = len(self.asked)
        if action["actionType"] == 5:
            fire_at = datetime.fromisoformat(action["fireAt"])
            task = Asked(number, "timer", None, fire_at=fire_at)
            told = {"FireAt": action["fireAt"]}
            kind = replay.TIMER_CREATED
        else:
            is_child = action["actionType"] == 2
            name, instance_id = action["functionName"], action.get("instanceId")
            task = Asked(number, name, json.loads(action["input"]), instance_id)
            told = {"Name": name, "Version": "", "Input": None}
            told |= {"InstanceId": instance_id} if is_child else {}
            kind = replay.CHILD_CREATED if is_child else replay.TASK_SCHEDULED
        self.asked.append(task)
        self._open.append(task)
        self.history.append(self._event(kind, EventId=number, **told))

    def _completion(self, task: Asked) -> Event:
        if task.fire_at is not None:
            return self._event(replay.TIMER_FIRED, TimerId=task.id, FireAt=task.fire_at.isoformat())
        answer = self._answer(task)
        is_child = task.instance_id is not None
        if isinstance(answer, Failed):
            kind = replay.CHILD_FAILED if is_child else replay.TASK_FAILED
            reason, details = _reason(task.name, answer.text, is_child)
            return self._event(kind, TaskScheduledId=task.id, Reason=reason, Details=details)
        kind = replay.CHILD_COMPLETED if is_child else replay.TASK_COMPLETED
        result = None if answer is None else json.dumps(answer)
        return self._event(kind, TaskScheduledId=task.id, Result=result)

    def _event(self, kind: int, EventId: int = -1, **told: Any) -> Event:  # noqa: N803 - as on the wire
        stamp = self._now.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        return {
            "EventType": kind,
            "EventId": EventId,
            "IsPlayed": False,
            "Timestamp": stamp,
            **told,
        }


def _reason(name: str, text: str, is_child: bool) -> tuple[str, str | None]:
    if is_child:
        return f"Orchestrator function '{name}' failed: {text}", None
    reason = f"Activity function '{name}' failed:  {text}"
    return reason, json.dumps({"ClassName": "System.Exception", "Message": f" {text}"})


def write_new(folder: Path, recordings: Iterable[tuple[str, Callable[[], Recording]]]) -> list[str]:
    """Records what has no file yet; returns the names of the files that were written."""
    written = []
    for name, record in recordings:
        path = folder / f"{name}.json"
        if not path.exists():
            path.write_text(record().to_text(), encoding="utf-8")
            written.append(path.name)
    return written


if __name__ == "__main__":
    from tests.support.stories import STORIES

    for file_name in write_new(Path(sys.argv[1]), STORIES.items()):
        print(file_name)  # noqa: T201 - this is a program
