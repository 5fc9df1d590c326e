"""How a run's time went: each step's attempts, and the waits between them. Pure.

An attempt is what the history tells of an activity, a wait is the time from a failed attempt to
the next. What is under way is in the status only. Without a history there is one span for a step.
Times are RFC 3339 texts as they come; `to` is None for what has not ended. Called by the console.

Source: instance query of the durable HTTP API with `showHistory` (TaskCompleted and TaskFailed
carry `ScheduledTime` and `FunctionName`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain.payloads import STEPS

_OUTCOMES = {"TaskCompleted": "completed", "TaskFailed": "failed"}
_MAX_ERROR = 500
Span = dict[str, Any]


def timeline(status: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> list[Span]:
    """The spans of every step that was begun, in the steps' order, then in time's.

    Args:
        status: the order's status, as `domain.status.order_status` tells it.
        history: the run's events, oldest first.
    """
    attempts = _attempts(history)
    waiting = status.get("waitingFor") or {}
    spans: list[Span] = []
    for step in status["steps"]:
        known = attempts.get(STEPS.get(step["name"], ""), [])
        spans += _step(step, known, waiting)
    return spans


def _attempts(history: Iterable[Mapping[str, Any]]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for event in history:
        outcome = _OUTCOMES.get(event.get("EventType", ""))
        if outcome is None:
            continue
        same = found.setdefault(str(event.get("FunctionName")), [])
        reason = event.get("Reason") if outcome == "failed" else None
        same.append(
            {
                "kind": "attempt",
                "number": len(same) + 1,
                "state": outcome,
                "from": event.get("ScheduledTime") or event.get("Timestamp"),
                "to": event.get("Timestamp"),
                "error": str(reason)[:_MAX_ERROR] if reason else None,
            }
        )
    return found


def _step(
    step: Mapping[str, Any], known: Sequence[Span], waiting: Mapping[str, Any]
) -> Iterable[Span]:
    if step.get("started") is None:
        return []
    attempts = list(known) or _without_history(step)
    if step["state"] == "running" and len(known) < step["attempts"]:
        attempts = [*known, _under_way(step, waiting)]
    spans: list[Span] = []
    for attempt in attempts:
        if spans:
            spans.append(_wait("waited", attempt["number"], spans[-1]["to"], attempt["from"]))
        spans.append(attempt)
    if step["state"] == "waiting":
        begin, end = waiting.get("since"), waiting.get("until")
        spans.append(_wait("waiting", step["attempts"] + 1, begin, end))
    return [{"step": step["name"], **span} for span in spans]


def _without_history(step: Mapping[str, Any]) -> list[Span]:
    state = step["state"] if step["state"] in {"completed", "failed"} else "failed"
    error = (step.get("error") or {}).get("message")
    return [
        {
            "kind": "attempt",
            "number": step["attempts"],
            "state": state,
            "from": step["started"],
            "to": step["completed"],
            "error": error,
        }
    ]


def _under_way(step: Mapping[str, Any], waiting: Mapping[str, Any]) -> Span:
    return {
        "kind": "attempt",
        "number": step["attempts"],
        "state": "running",
        "from": waiting.get("since") or step["started"],
        "to": None,
        "error": None,
    }


def _wait(state: str, number: int, begin: str | None, end: str | None) -> Span:
    return {
        "kind": "wait",
        "number": number,
        "state": state,
        "from": begin,
        "to": end,
        "error": None,
    }
