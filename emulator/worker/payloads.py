"""What an orchestrator is sent and what comes out of it, apart from the durable library.

Source: the orchestration trigger's payload, and the error form that carries a reply.
"""

import json
from collections.abc import Mapping
from typing import Any

from .protocol import Frame

# The replay schemas and durations that the Durable extension sends with every episode.
_ENVELOPE = {
    "upperSchemaVersion": 1,
    "upperSchemaVersionNew": 2,
    "longRunningTimerIntervalDuration": "3.00:00:00",
    "maximumShortTimerDuration": "6.00:00:00",
    "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,
}
_MARKER = "\n\n$OutOfProcData$:"


def payload_of(frame: Mapping[str, Any], history: list[Frame]) -> Frame:
    """The orchestration trigger's payload of an episode."""
    text = frame.get("input")
    return {
        "history": history + frame["events"],
        "instanceId": frame["instance"],
        "isReplaying": bool(history),
        "parentInstanceId": frame.get("parent"),
        "input": None if text is None else json.loads(text),
        **_ENVELOPE,
    }


def split_failure(error: BaseException) -> tuple[str, str | None]:
    """The message of a failed episode, and the reply inside it where the library put one there."""
    text = str(error)
    at = text.rfind(_MARKER)
    if type(error) is Exception and at >= 0:
        return text[:at], text[at + len(_MARKER) :]
    return f"{type(error).__name__}: {text}", None
