"""Events out of a publish request, and out to JSON and HTML.

Pure. CloudEvents come in three forms: one in JSON, a batch, or in binary mode, where the attributes
are headers and the body is the data.

Source: CloudEvents 1.0 "HTTP Protocol Binding"; Event Grid documentation, "Post to custom topic".
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from string import Template
from typing import Any
from urllib.parse import unquote

from emulator.eventgrid.errors import InvalidEvents
from emulator.eventgrid.model import (
    CLOUD_EVENTS,
    PublishedEvent,
    Schema,
    event_type,
    schema_of,
)

_PREFIX = "ce-"


def read_events(
    body: bytes, content_type: str, headers: Mapping[str, str]
) -> tuple[list[Any], Schema]:
    """The events of a request, unchecked, and the schema they claim.

    Raises:
        InvalidEvents: the body is no JSON, or an array where one object is due, or the reverse.
    """
    if "ce-specversion" in {name.lower() for name in headers}:
        return [_binary_event(body, content_type, headers)], CLOUD_EVENTS
    value = _json(body)
    if content_type == "application/cloudevents+json":
        if isinstance(value, list):
            raise _mismatch("CloudEventV10", "StartObject", "StartArray")
        return [value], CLOUD_EVENTS
    if content_type == "application/cloudevents-batch+json":
        if not isinstance(value, list):
            raise _mismatch("CloudEventV10", "StartArray", "StartObject")
        return value, CLOUD_EVENTS
    if isinstance(value, list):
        return value, schema_of(value)
    if schema_of([value]) == CLOUD_EVENTS:
        return [value], CLOUD_EVENTS
    raise _mismatch("EventGridEvent", "StartArray", "StartObject")


def _mismatch(schema: str, expected: str, found: str) -> InvalidEvents:
    detail = f"Token Expected: {expected}, Actual Token Received: {found}."
    return InvalidEvents(schema, detail)


def _json(body: bytes) -> Any:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(body, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidEvents("EventGridEvent", f"{error}.") from error


def _binary_event(body: bytes, content_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    event: dict[str, Any] = {
        name.lower().removeprefix(_PREFIX): unquote(value)
        for name, value in headers.items()
        if name.lower().startswith(_PREFIX)
    }
    event["datacontenttype"] = content_type
    if content_type == "application/json" or content_type.endswith("+json"):
        event["data"] = _json(body)
    elif body:
        try:
            event["data"] = body.decode()
        except UnicodeDecodeError:
            event["data_base64"] = base64.b64encode(body).decode()
    return event


def entry(published: PublishedEvent) -> dict[str, Any]:
    """An event as the emulator's own door lists it."""
    return {
        "sequence": published.sequence,
        "topic": published.topic,
        "schema": published.schema,
        "receivedAt": instant(published.received_at),
        "event": published.event,
    }


def instant(value: datetime) -> str:
    """RFC 3339 in UTC."""
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def render(page: Template, events: Sequence[PublishedEvent], count: int) -> str:
    """The page of the latest events; nothing of an event is taken for markup."""
    rows = "".join(_row(published) for published in events)
    return page.substitute(rows=rows, shown=len(events), count=count)


def _row(published: PublishedEvent) -> str:
    event = published.event
    cells = [
        str(published.sequence),
        instant(published.received_at),
        published.topic,
        event_type(event, published.schema),
        str(event.get("subject") or ""),
    ]
    text = json.dumps(event, indent=2, ensure_ascii=False)
    plain = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    details = f"<td><details><summary>event</summary><pre>{escape(text)}</pre></details></td>"
    return f"<tr>{plain}{details}</tr>\n"
