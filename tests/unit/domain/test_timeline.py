"""A step's attempts and waits, out of status and history."""

from typing import Any

from domain.timeline import timeline

ENRICH = "enrich_order"


def at(second: float) -> str:
    return f"2026-11-20T09:30:{second:09.6f}Z"


def event(kind: str, begin: float, end: float, **more: Any) -> dict[str, Any]:
    told = {"EventType": kind, "FunctionName": ENRICH, "ScheduledTime": at(begin)}
    return {**told, "Timestamp": at(end), **more}


def status(state: str, attempts: int, **more: Any) -> dict[str, Any]:
    step = {"name": "enrich", "state": state, "attempts": attempts, "started": at(0)}
    ended = at(9) if state in {"completed", "failed"} else None
    untouched = {"name": "notify", "state": "pending", "attempts": 0, "started": None}
    return {"steps": [{**step, "completed": ended, "error": None}, untouched], **more}


def told(spans: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(s["kind"], s["number"], s["state"], s["from"], s["to"]) for s in spans]


def test_a_retry_is_two_attempts_with_a_wait_between_them() -> None:
    history = [
        {"EventType": "ExecutionStarted", "Timestamp": at(0), "FunctionName": "process_order"},
        event("TaskFailed", 0, 1, Reason="no answer"),
        {"EventType": "TimerFired", "Timestamp": at(3), "FireAt": at(3)},
        event("TaskCompleted", 3, 4),
    ]
    spans = timeline(status("completed", 2), history)
    assert told(spans) == [
        ("attempt", 1, "failed", at(0), at(1)),
        ("wait", 2, "waited", at(1), at(3)),
        ("attempt", 2, "completed", at(3), at(4)),
    ]
    assert [s["error"] for s in spans] == ["no answer", None, None]
    assert {s["step"] for s in spans} == {"enrich"}


def test_a_step_that_waits_ends_with_the_wait_for_its_next_attempt() -> None:
    waiting = {"what": "retry", "since": at(1), "until": at(5)}
    history = [event("TaskFailed", 0, 1)]
    spans = timeline(status("waiting", 1, waitingFor=waiting), history)
    assert told(spans)[-1] == ("wait", 2, "waiting", at(1), at(5))


def test_an_attempt_under_way_has_no_end() -> None:
    waiting = {"what": "activity", "since": at(5), "until": None}
    history = [event("TaskFailed", 0, 1)]
    spans = timeline(status("running", 2, waitingFor=waiting), history)
    assert told(spans)[1:] == [
        ("wait", 2, "waited", at(1), at(5)),
        ("attempt", 2, "running", at(5), None),
    ]


def test_without_a_history_a_step_is_one_span() -> None:
    assert told(timeline(status("completed", 3), [])) == [("attempt", 3, "completed", at(0), at(9))]
