"""How a message looks over HTTPS: `BrokerProperties`, application properties as headers, batches.

Pure conversion, both ways. Used by `server` only.

Source: Service Bus REST reference, "Message headers and properties". DIFFERS: an application
property whose name cannot be a header is left out of a received message's headers.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from emulator import jsontext
from emulator.servicebus.errors import InvalidMessage
from emulator.servicebus.messages import OutgoingMessage, Property, ReceivedMessage

BATCH_CONTENT_TYPE = "application/vnd.microsoft.servicebus.json"
# `TimeSpan.MaxValue` in seconds, as the service prints it.
_WITHOUT_END_S = 922337203685.47754
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What belongs to HTTP, to proxies or to the SDKs' pipelines and is no property of the message.
_NOT_PROPERTIES = {
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "brokerproperties",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "host",
    "keep-alive",
    "location",
    "origin",
    "pragma",
    "proxy-connection",
    "referer",
    "server",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-ms-client-request-id",
    "x-ms-return-client-request-id",
}
_IN = {
    "MessageId": "message_id",
    "SessionId": "session_id",
    "CorrelationId": "correlation_id",
    "Label": "subject",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "To": "to",
    "PartitionKey": "partition_key",
    "ContentType": "content_type",
}


def read_message(body: bytes, headers: Mapping[str, str]) -> OutgoingMessage:
    """A message as one request carries it; raises InvalidMessage."""
    text = headers.get("BrokerProperties")
    properties = {} if not text else _object(text, "BrokerProperties")
    application = {
        str(name): _header_value(value)
        for name, value in headers.items()
        if name.lower() not in _NOT_PROPERTIES
    }
    content_type = headers.get("Content-Type")
    return _outgoing(body, {"ContentType": content_type} | properties, application)


def read_batch(body: bytes) -> list[OutgoingMessage]:
    """The messages of a batch; raises InvalidMessage."""
    try:
        batch = jsontext.read(body)
    except ValueError as error:
        raise InvalidMessage(f"The batch is not JSON: {error}.") from error
    if not isinstance(batch, list) or not batch:
        raise InvalidMessage("A batch is a JSON array of at least one message.")
    messages = []
    for number, entry in enumerate(batch):
        if not isinstance(entry, dict) or not isinstance(entry.get("Body"), str):
            raise InvalidMessage(f"Message {number} of the batch has no 'Body' of type string.")
        properties = entry.get("BrokerProperties") or {}
        application = entry.get("UserProperties") or {}
        if not isinstance(properties, dict) or not isinstance(application, dict):
            raise InvalidMessage(f"The properties of message {number} are no JSON objects.")
        messages.append(_outgoing(entry["Body"].encode(), properties, application))
    return messages


def _outgoing(
    body: bytes, properties: Mapping[str, Any], application: Mapping[str, Property]
) -> OutgoingMessage:
    fields: dict[str, Any] = {}
    for name, field in _IN.items():
        value = properties.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidMessage(f"The broker property '{name}' must be a string.")
        fields[field] = value
    ttl = properties.get("TimeToLive")
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int | float)):
        raise InvalidMessage("The broker property 'TimeToLive' must be a number of seconds.")
    return OutgoingMessage(
        body=body,
        time_to_live_s=None if ttl is None or ttl >= _WITHOUT_END_S // 1 else float(ttl),
        scheduled_enqueue_time=_instant(properties.get("ScheduledEnqueueTimeUtc")),
        application_properties=application,
        **fields,
    )


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            raise TypeError("no string")
        try:
            instant = parsedate_to_datetime(value)
        except ValueError:
            instant = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidMessage(
            "The broker property 'ScheduledEnqueueTimeUtc' must be a date such as "
            "'Mon, 01 Jan 2024 00:00:00 GMT'."
        ) from error
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        value = jsontext.read(text)
    except ValueError as error:
        raise InvalidMessage(f"The header {what} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidMessage(f"The header {what} must be a JSON object.")
    return value


def _header_value(text: str) -> Property:
    """A quoted text, a bare number or boolean; anything else is the text as it stands."""
    # A header whose bytes are not UTF-8 is taken for Latin-1.
    text = text.encode("utf-8", "surrogateescape").decode("latin-1") if _is_broken(text) else text
    try:
        value = jsontext.read(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def broker_properties(message: ReceivedMessage, *, is_locked: bool) -> dict[str, Any]:
    """The `BrokerProperties` of a received message; what is not set is left out."""
    properties: dict[str, Any] = {
        "DeliveryCount": message.delivery_count,
        "EnqueuedSequenceNumber": 0,
        "EnqueuedTimeUtc": _rfc1123(message.enqueued_time),
        "MessageId": message.message_id,
        "SequenceNumber": message.sequence_number,
        "State": message.state,
        "TimeToLive": _remaining_ttl_s(message),
    }
    if is_locked:
        properties["LockToken"] = message.lock_token
        properties["LockedUntilUtc"] = _rfc1123(message.locked_until)
    if message.scheduled_enqueue_time is not None:
        properties["ScheduledEnqueueTimeUtc"] = _rfc1123(message.scheduled_enqueue_time)
    if message.dead_letter_source is not None:
        properties["DeadLetterSource"] = message.dead_letter_source
    for name, field in _IN.items():
        value = getattr(message, field)
        if value is not None and name != "ContentType":
            properties[name] = value
    return properties


def _remaining_ttl_s(message: ReceivedMessage) -> float:
    if message.expires_at is None:
        return message.time_to_live_s or _WITHOUT_END_S
    return (message.expires_at - message.enqueued_time).total_seconds()


def response_headers(message: ReceivedMessage, *, is_locked: bool) -> dict[str, str]:
    """Headers of a received message."""
    headers = {
        name: json.dumps(value)
        for name, value in message.application_properties.items()
        if _TOKEN.fullmatch(name) and name.lower() not in _NOT_PROPERTIES
    }
    headers["BrokerProperties"] = json.dumps(broker_properties(message, is_locked=is_locked))
    return headers


def browse_entry(message: ReceivedMessage) -> dict[str, Any]:
    """A message as the emulator's own peek door shows it."""
    entry: dict[str, Any] = {
        "brokerProperties": broker_properties(message, is_locked=False),
        "contentType": message.content_type,
        "applicationProperties": dict(message.application_properties),
    }
    try:
        entry["body"] = message.body.decode()
    except UnicodeDecodeError:
        entry["bodyBase64"] = base64.b64encode(message.body).decode()
    return entry


def _rfc1123(instant: datetime) -> str:
    return format_datetime(instant.astimezone(UTC), usegmt=True)
