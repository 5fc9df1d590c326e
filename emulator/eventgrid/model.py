"""What an event must have, in the two schemas that a custom topic takes.

Pure. Used by `sink`, so that an event published in-process is held to the same as one over HTTP.
Left out: the custom input schema.

Source: Event Grid documentation, "Event Grid event schema"; CloudEvents 1.0, "Context attributes".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from emulator.eventgrid.errors import InvalidEvents

Schema = Literal["EventGridSchema", "CloudEventSchemaV1_0"]
EVENT_GRID: Schema = "EventGridSchema"
CLOUD_EVENTS: Schema = "CloudEventSchemaV1_0"

_SPOKEN = {EVENT_GRID: "EventGridEvent", CLOUD_EVENTS: "CloudEventV10"}
_REQUIRED = {
    EVENT_GRID: ("id", "subject", "eventType", "eventTime"),
    CLOUD_EVENTS: ("id", "source", "specversion", "type"),
}
# The service holds extension attributes to this.
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
_CLOUD_MEMBERS = {"datacontenttype", "dataschema", "data_base64", "specversion"}


@dataclass(frozen=True)
class PublishedEvent:
    """An event as it was taken in.

    Attributes:
        sequence: rises with every event of all topics; the cursor of a listing.
        received_at: when it was on disk.
    """

    sequence: int
    topic: str
    schema: Schema
    received_at: datetime
    event: dict[str, Any]


def event_type(event: dict[str, Any], schema: Schema) -> str:
    """What kind of event it is."""
    return str(event["type" if schema == CLOUD_EVENTS else "eventType"])


def schema_of(events: Sequence[Any]) -> Schema:
    """The schema that the first event is written in, as Functions' output binding decides."""
    first = events[0] if events else None
    return CLOUD_EVENTS if isinstance(first, dict) and "specversion" in first else EVENT_GRID


def check_events(events: Sequence[Any], schema: Schema) -> None:
    """Pass events that the topic takes.

    Raises:
        InvalidEvents: one of them is none, or lacks what its schema requires.
    """
    for number, event in enumerate(events):
        path = f"[{number}]"
        if not isinstance(event, dict):
            raise InvalidEvents(
                _SPOKEN[schema],
                f"Token Expected: StartObject, Actual Token Received: {_token(event)}. "
                f"Path '{path}'.",
            )
        for name in _REQUIRED[schema]:
            value = event.get(name)
            if value is None:
                detail = f"Required property '{name}' not found in JSON. Path '{path}'."
                raise InvalidEvents(_SPOKEN[schema], detail)
            if not isinstance(value, str) or not value:
                detail = f"Property '{name}' must be a string that is not empty. Path '{path}'."
                raise InvalidEvents(_SPOKEN[schema], detail)
        _check_time(event, schema, path)
        if schema == CLOUD_EVENTS:
            _check_cloud_event(event, path)


def _check_time(event: dict[str, Any], schema: Schema, path: str) -> None:
    name = "time" if schema == CLOUD_EVENTS else "eventTime"
    value = event.get(name)
    if value is None:
        return
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        detail = f"Could not convert property '{name}' to a date and time. Path '{path}.{name}'."
        raise InvalidEvents(_SPOKEN[schema], detail) from None


def _check_cloud_event(event: dict[str, Any], path: str) -> None:
    if event["specversion"] != "1.0":
        detail = f"Property 'specversion' must be '1.0'. Path '{path}.specversion'."
        raise InvalidEvents(_SPOKEN[CLOUD_EVENTS], detail)
    if "data" in event and "data_base64" in event:
        detail = f"'data' and 'data_base64' exclude one another. Path '{path}'."
        raise InvalidEvents(_SPOKEN[CLOUD_EVENTS], detail)
    for name in event:
        if name not in _CLOUD_MEMBERS and not _ATTRIBUTE.fullmatch(name):
            detail = (
                f"The extension attribute '{name}' must be of at most 20 lower-case letters and "
                f"digits. Path '{path}'."
            )
            raise InvalidEvents(_SPOKEN[CLOUD_EVENTS], detail)


def _token(value: object) -> str:
    """The JSON reader's word for what was found."""
    if value is None:
        return "Null"
    names: list[tuple[type, str]] = [
        (bool, "Boolean"),
        (int, "Integer"),
        (float, "Float"),
        (str, "String"),
        (list, "StartArray"),
    ]
    return next((name for kind, name in names if isinstance(value, kind)), "StartObject")
