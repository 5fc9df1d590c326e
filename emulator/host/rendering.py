"""Turns what a function returned or set into messages, documents and events. Pure.

The Service Bus extension collects strings: JSON text is parsed, an array is one message for each
element, and an object is written anew, indented and with its dates normalised. Apps see that in
their message bodies, so it is kept.

Source: the host's function output handling and Newtonsoft.Json's defaults.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from emulator.host.errors import OutputFailed
from emulator.worker.protocol import Datum

_DATE = re.compile(
    r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?$", re.ASCII
)


def message_bodies(datum: Datum) -> list[bytes]:
    """The bodies of the Service Bus messages that an output stands for; none if it is unset.

    Raises:
        OutputFailed: text that looks like JSON is none.
    """
    if datum.kind is None:
        return []
    if datum.kind == "bytes":
        return [bytes(datum.value)]
    text = datum.value if isinstance(datum.value, str) else json.dumps(datum.value)
    stripped = text.strip()
    if not _looks_like_json(stripped):
        return [text.encode()]
    parsed = _parse(stripped)
    elements = parsed if isinstance(parsed, list) else [parsed]
    return [_body(element).encode() for element in elements]


def documents(datum: Datum) -> list[Mapping[str, Any]]:
    """The documents that a Cosmos DB output stands for.

    Raises:
        OutputFailed: it is not a JSON object or an array of them.
    """
    return _objects(datum, "Cosmos DB", "document")


def events(datum: Datum) -> list[Mapping[str, Any]]:
    """The events that an Event Grid output stands for.

    Raises:
        OutputFailed: it is not a JSON object or an array of them.
    """
    return _objects(datum, "Event Grid", "event")


def response_of_text(text: str) -> Mapping[str, Any] | None:
    """The response object in a returned text: a JSON object with a `body` key, else None."""
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")):
        return None
    try:
        value = json.loads(stripped)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "body" in value else None


def _looks_like_json(text: str) -> bool:
    return (text.startswith("{") and text.endswith("}")) or (
        text.startswith("[") and text.endswith("]")
    )


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise OutputFailed(f"The output looks like JSON and cannot be parsed: {error}") from error


def _body(element: Any) -> str:
    if isinstance(element, str):
        return element
    if isinstance(element, dict | list):
        return json.dumps(_normalised(element), indent=2, ensure_ascii=False)
    return json.dumps(element)


def _normalised(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normalised(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_normalised(item) for item in value]
    return _date(value) if isinstance(value, str) else value


def _date(text: str) -> str:
    """A date as it comes out of a .NET round trip on a machine that runs in UTC."""
    found = _DATE.match(text)
    if found is None:
        return text
    seconds, fraction, zone = found.groups()
    kept = (fraction or "").rstrip("0")
    if zone and zone != "Z":
        try:
            moved = datetime.fromisoformat(seconds + zone).astimezone(UTC)
        except ValueError:
            return text
        seconds, zone = moved.strftime("%Y-%m-%dT%H:%M:%S"), "+00:00"
    return seconds + (f".{kept}" if kept else "") + (zone or "")


def _objects(datum: Datum, product: str, word: str) -> list[Mapping[str, Any]]:
    if datum.kind is None:
        return []
    value = datum.value
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        value = _parse(value)
    found = value if isinstance(value, list) else [value]
    for element in found:
        if not isinstance(element, dict):
            raise OutputFailed(
                f"The {product} output takes a JSON object or an array of them; this {word} is a "
                f"{type(element).__name__}."
            )
    return found
