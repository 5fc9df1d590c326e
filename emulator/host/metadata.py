"""What a trigger hands to a function: the trigger's datum, and the metadata beside it.

Pure. The quirks are the host's and kept on purpose: dates without a zone, metadata that a JSON body
overrides, values of a batch that shift past messages without one.

Source: host and extension behaviour; the shapes are what `azure.functions` decodes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from emulator.blob import Blob
from emulator.servicebus.messages import ReceivedMessage
from emulator.storagequeue import Message as QueueMessage
from emulator.worker.protocol import UNSET, Datum

Metadata = dict[str, Datum]
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)

# .NET's last instant: how a message without a time to live shows its expiry.
_NEVER = "9999-12-31T23:59:59.9999999"
# Present on the real host, and of no use to Python.
_UNSEEN = (
    *("MessageReceiver", "MessageSession", "MessageActions"),
    *("SessionActions", "ReceiveActions", "Client"),
)
_UNSEEN_DATUMS = dict.fromkeys(_UNSEEN, Datum("json", "{}"))


class UnfitBody(Exception):
    """A message's body cannot be given to the function in the form it asks for."""


def compact(value: Any) -> str:
    """JSON text as .NET writes it: no blanks, text beyond ASCII as it is."""
    return _ENCODER.encode(value)


def text_datum(value: str | None) -> Datum:
    """A string datum; unset for None."""
    return UNSET if value is None else Datum("string", value)


def json_datum(value: Any) -> Datum:
    """A json datum of a value."""
    return Datum("json", compact(value))


def _date_datum(text: str) -> Datum:
    """A json datum of a date, which needs no escaping."""
    return Datum("json", f'"{text}"')


def zoneless(instant: datetime | None) -> str:
    """An instant as .NET writes one that has lost its zone; None is never."""
    if instant is None:
        return _NEVER
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat()


def decode_text(body: bytes) -> str:
    """A body's text; bytes that are not UTF-8 are replaced, as .NET does."""
    return body.decode("utf-8", errors="replace")


def merge_body(metadata: Metadata, body: str) -> None:
    """Put the top-level properties of a JSON object over the metadata, as the host does.

    A known defect of the host that apps meet with `MessageId` and its like.
    """
    stripped = body.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")):
        return
    try:
        properties = json.loads(stripped)
    except ValueError:
        return
    if not isinstance(properties, dict):
        return
    known = {name.lower(): name for name in metadata}
    for given, value in properties.items():
        if value is None or isinstance(value, list):
            continue
        name = str(given)
        text = str(value) if isinstance(value, str | bool) else compact(value)
        metadata[known.get(name.lower(), name)] = Datum("string", text)


def service_bus_message(
    message: ReceivedMessage, parameter: str, data_type: str | None
) -> tuple[Datum, Metadata]:
    """Datum and metadata of one message."""
    properties = json_datum(dict(message.application_properties))
    metadata: Metadata = {
        **_UNSEEN_DATUMS,
        "ApplicationProperties": properties,
        "UserProperties": properties,
        "DeliveryCount": Datum("json", str(message.delivery_count)),
        "EnqueuedTimeUtc": _date_datum(zoneless(message.enqueued_time)),
        "EnqueuedTime": _date_datum(message.enqueued_time.isoformat()),
        "ExpiresAtUtc": _date_datum(zoneless(message.expires_at)),
        "ExpiresAt": _date_datum(
            message.expires_at.isoformat() if message.expires_at else _NEVER + "+00:00"
        ),
        "LockToken": Datum("string", message.lock_token),
        "MessageId": Datum("string", message.message_id),
        "SequenceNumber": Datum("json", str(message.sequence_number)),
    }
    given = {name: value for name, value in _optional(message).items() if value}
    metadata |= {name: Datum("string", value) for name, value in given.items()}
    if data_type == "binary":
        return Datum("bytes", message.body), metadata
    if not message.body:
        return UNSET, metadata
    text = decode_text(message.body)
    metadata[parameter] = Datum("string", text)
    merge_body(metadata, text)
    return Datum("string", text), metadata


def queue_message(
    message: QueueMessage, parameter: str, data_type: str | None
) -> tuple[Datum, Metadata]:
    """Datum and metadata of one message of a storage queue."""
    metadata: Metadata = {
        "Id": Datum("string", message.id),
        "DequeueCount": Datum("json", str(message.dequeue_count)),
        "ExpirationTime": _date_datum(message.expires.isoformat()),
        "InsertionTime": _date_datum(message.inserted.isoformat()),
        "NextVisibleTime": _date_datum(message.next_visible.isoformat()),
        "PopReceipt": Datum("string", message.pop_receipt),
    }
    if data_type == "binary":
        return Datum("bytes", message.body), metadata
    text = decode_text(message.body)
    metadata["QueueTrigger"] = metadata[parameter] = Datum("string", text)
    merge_body(metadata, text)
    return Datum("string", text), metadata


def blob_content(content: bytes, data_type: str | None) -> Datum:
    """Datum of a blob: text unless it is asked for as bytes, or is none.

    DIFFERS: bytes that are not UTF-8 are passed on; the real host replaces them.
    """
    if data_type == "binary" or is_corrupted_as_text(content, data_type):
        return Datum("bytes", content)
    return Datum("string", content.decode())


def is_corrupted_as_text(content: bytes, data_type: str | None) -> bool:
    """Whether the real host, which reads blobs as text, would change this one."""
    if data_type == "binary":
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False


def blob_metadata(blob: Blob, url: str, captured: Mapping[str, str]) -> Metadata:
    """What a blob trigger tells of its blob, and what its path captured of the name."""
    properties = {
        "LastModified": blob.modified.isoformat(),
        "CreatedOn": blob.created.isoformat(),
        "Metadata": dict(blob.properties.metadata),
        "BlobType": 0,
        "ContentLength": blob.size,
        "ContentType": blob.properties.content_type,
        "ContentEncoding": blob.properties.content_encoding,
        "ContentHash": blob.md5,
        "ETag": blob.etag,
    }
    return {
        "BlobTrigger": Datum("string", f"{blob.container}/{blob.name}"),
        "Uri": json_datum(url),
        "Properties": json_datum(properties),
        "Metadata": json_datum(dict(blob.properties.metadata)),
        **{name: Datum("string", value) for name, value in captured.items()},
    }


def _optional(message: ReceivedMessage) -> dict[str, str | None]:
    return {
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "DeadLetterSource": message.dead_letter_source,
        "Label": message.subject,
        "Subject": message.subject,
        "PartitionKey": message.partition_key,
        "TransactionPartitionKey": message.partition_key,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": message.reply_to_session_id,
        "SessionId": message.session_id,
        "To": message.to,
    }


def service_bus_batch(
    messages: Sequence[ReceivedMessage], data_type: str | None
) -> tuple[Datum, Metadata]:
    """Datum and metadata of a batch.

    Raises:
        UnfitBody: no data type is given and a body is not JSON; the whole batch fails.
    """
    properties = [dict(message.application_properties) for message in messages]
    metadata: Metadata = {
        "UserPropertiesArray": json_datum(properties),
        "ApplicationPropertiesArray": json_datum(properties),
        "DeliveryCountArray": json_datum([message.delivery_count for message in messages]),
        "SequenceNumberArray": Datum(
            "collection_sint64", [message.sequence_number for message in messages]
        ),
        "EnqueuedTimeUtcArray": json_datum([zoneless(m.enqueued_time) for m in messages]),
        "ExpiresAtUtcArray": json_datum([zoneless(m.expires_at) for m in messages]),
        "MessageIdArray": _collection([message.message_id for message in messages]),
        "LockTokenArray": _collection([message.lock_token for message in messages]),
    }
    columns = [_optional(message) for message in messages]
    for name in columns[0]:
        metadata[f"{name}Array"] = _collection([column[name] for column in columns])
    return _batch_bodies([message.body for message in messages], data_type), metadata


def has_gaps(messages: Sequence[ReceivedMessage]) -> bool:
    """Whether some message of a batch has a property that another lacks: values will shift."""
    columns = [_optional(message) for message in messages]
    return any(len({bool(column[name]) for column in columns}) == 2 for name in columns[0])


def _collection(values: Sequence[str | None]) -> Datum:
    # The host drops null and empty entries, so what follows moves to the message before.
    return Datum("collection_string", [value for value in values if value])


def _batch_bodies(bodies: Sequence[bytes], data_type: str | None) -> Datum:
    if data_type == "binary":
        return Datum("collection_bytes", list(bodies))
    texts = [decode_text(body) for body in bodies]
    if data_type == "string":
        return _collection(texts)
    parsed: list[Any] = []
    for index, text in enumerate(texts):
        try:
            parsed.append(json.loads(text))
        except ValueError as error:
            raise UnfitBody(
                f"Message {index} of the batch is not JSON ({error}). A function with cardinality "
                "'many' and no data type takes JSON bodies only; give it data_type STRING or "
                "BINARY."
            ) from error
    return json_datum(parsed)


def cosmos_documents(documents: Sequence[Mapping[str, Any]]) -> Datum:
    """Datum of a change feed batch; its metadata is empty."""
    return Datum("string", compact(list(documents)))


def event_grid(event: Mapping[str, Any]) -> tuple[Datum, Metadata]:
    """Datum and metadata of one event."""
    return json_datum(event), {"data": json_datum(event.get("data"))}


def timer(*, is_past_due: bool, status: Mapping[str, str] | None, adjust: bool) -> Datum:
    """Datum of a timer's occurrence; `status` None is a timer that is not monitored."""
    return json_datum(
        {
            "Schedule": {"AdjustForDST": adjust},
            "ScheduleStatus": status,
            "IsPastDue": is_past_due,
        }
    )


def binding_data(metadata: Mapping[str, Datum]) -> dict[str, Any]:
    """The values that binding expressions can name."""
    data: dict[str, Any] = {}
    for name, datum in metadata.items():
        if datum.kind == "json":
            data[name] = json.loads(datum.value)
        elif datum.kind == "string":
            data[name] = datum.value
    return data
