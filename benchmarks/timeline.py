"""Where the time of one order goes, told by its orchestration's own history.

Asked for after the orders are through, so that the asking takes nothing from them.
"""

import statistics
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from benchmarks.system import System

STEPS = ("validate_order", "enrich_order", "persist_order", "notify_order")


def spans(sent: datetime, history: list[Mapping[str, Any]]) -> dict[str, float]:
    """The parts of one order's time, in milliseconds, until its last step has ended.

    `to the start`: from its sending until the orchestration exists. Each step: from the beginning
    of the turn that schedules it, whose episode and commit belong to it, until its result is there.
    `between the steps`: from a result to the turn that takes it.
    """
    [started] = [_at(event) for event in history if event["EventType"] == "ExecutionStarted"]
    found = {"to the start": _ms(sent, started)}
    between, last = 0.0, started
    for event in history:
        if event["EventType"] != "TaskCompleted":
            continue
        scheduled, completed = datetime.fromisoformat(event["ScheduledTime"]), _at(event)
        found[event["FunctionName"]] = _ms(scheduled, completed)
        between += _ms(last, scheduled)
        last = completed
    return {**found, "between the steps": between}


async def timeline(system: System, sent: Mapping[str, datetime]) -> dict[str, tuple[float, str]]:
    """The median of each part, over orders by id."""
    parts = [spans(at, await _history(system, order_id)) for order_id, at in sent.items()]
    names = ("to the start", *STEPS, "between the steps")
    return {name: (statistics.median(part[name] for part in parts), "ms") for name in names}


async def _history(system: System, instance_id: str) -> list[Mapping[str, Any]]:
    url = f"{system.doors.host}/runtime/webhooks/durabletask/instances/{instance_id}"
    answer = await system.api.get(url, params={"showHistory": "true"})
    answer.raise_for_status()
    events: list[Mapping[str, Any]] = answer.json()["historyEvents"]
    return events


def _at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["Timestamp"])


def _ms(start: datetime, end: datetime) -> float:
    return 1000 * (end - start).total_seconds()
