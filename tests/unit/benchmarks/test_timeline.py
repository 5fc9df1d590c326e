"""The parts of an order's time add up to the whole of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.timeline import spans

SENT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def at(milliseconds: float) -> str:
    return (SENT + timedelta(milliseconds=milliseconds)).isoformat().replace("+00:00", "Z")


def completed(name: str, scheduled: float, ended: float) -> dict[str, Any]:
    return {
        "EventType": "TaskCompleted",
        "FunctionName": name,
        "ScheduledTime": at(scheduled),
        "Timestamp": at(ended),
    }


def test_parts_are_the_start_the_steps_and_what_lies_between() -> None:
    history = [
        {"EventType": "ExecutionStarted", "FunctionName": "process_order", "Timestamp": at(5)},
        completed("validate_order", 6, 7.5),
        {"EventType": "TimerFired", "Timestamp": at(7.6)},
        completed("enrich_order", 8, 9),
        {"EventType": "ExecutionCompleted", "Timestamp": at(10)},
    ]
    parts = spans(SENT, history)
    assert parts == {
        "to the start": 5,
        "validate_order": 1.5,
        "enrich_order": 1,
        "between the steps": 1.5,
    }
    assert sum(parts.values()) == 9
