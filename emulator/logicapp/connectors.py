"""The managed connectors, on top of doors that the host hands over.

A door is whatever has the methods below: the emulated services have them, and know nothing of this.
A door refuses with an exception that has an integer `status`; that is the connector's answer.
Anything else it raises is an answer of 500, which is retried as on Azure.

Source: the connectors' reference, "Service Bus", "Azure Blob Storage", "Azure Cosmos DB"; the
members of a message as runs show them.
"""

import base64
import json
import logging
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

from emulator.logicapp.operations import OPERATIONS

_log = logging.getLogger(__name__)
_BINARY = "application/octet-stream"


class Message(Protocol):
    """A message that was received from a queue."""

    @property
    def body(self) -> bytes: ...
    @property
    def message_id(self) -> str: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def delivery_count(self) -> int: ...
    @property
    def enqueued_time(self) -> datetime: ...
    @property
    def lock_token(self) -> str: ...
    @property
    def locked_until(self) -> datetime: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def correlation_id(self) -> str | None: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def to(self) -> str | None: ...
    @property
    def reply_to(self) -> str | None: ...
    @property
    def application_properties(self) -> Mapping[str, Any]: ...


class Queues(Protocol):
    """Service Bus."""

    async def receive(
        self, path: str, max_count: int = 1, wait_s: float | None = 0
    ) -> Sequence[Message]:
        """Lock messages; waits without end for the first if `wait_s` is None."""

    async def complete(self, path: str, lock_token: str) -> None:
        """Take a message away for good."""

    async def abandon(self, path: str, lock_token: str) -> None:
        """Give a message back."""

    async def dead_letter(
        self, path: str, lock_token: str, reason: str | None = None, description: str | None = None
    ) -> None:
        """Move a message to the dead-letter queue."""

    async def renew(self, path: str, lock_token: str) -> Any:
        """Hold the lock for another lock duration."""


class Blobs(Protocol):
    """A storage account."""

    async def read(self, container: str, name: str) -> bytes:
        """A blob's content."""


class Documents(Protocol):
    """A Cosmos DB account."""

    async def upsert(
        self, database: str, container: str, document: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Store a document, whether it exists or not; as stored."""


@dataclass(frozen=True)
class Doors:
    """What the connectors reach."""

    queues: Queues
    blobs: Blobs
    documents: Documents


@dataclass(frozen=True)
class Request:
    """A connector's call, evaluated."""

    api: str
    operation: str
    method: str
    path: str
    queries: Mapping[str, Any]
    headers: Mapping[str, Any]
    body: Any = None

    def to_dict(self) -> dict[str, Any]:
        """As expressions and the run history show it."""
        shown: dict[str, Any] = {"host": {"api": self.api}, "method": self.method}
        shown["path"] = self.path
        for name, value in (("queries", self.queries), ("headers", self.headers)):
            if value:
                shown[name] = dict(value)
        return shown if self.body is None else shown | {"body": self.body}


@dataclass(frozen=True)
class Reply:
    """A connector's answer."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The status as a run names it: `OK`, `NotFound`."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            return "Unknown"
        return "".join(word[0].upper() + word[1:] for word in phrase.replace("-", " ").split())

    def to_dict(self) -> dict[str, Any]:
        """The outputs of the action."""
        return {"statusCode": self.status, "headers": dict(self.headers), "body": self.body}


class _Refused(Exception):
    """The connector itself does not take the call."""

    status = 400


async def call(doors: Doors, request: Request) -> Reply:
    """Call a connector; never raises for what a door does."""
    try:
        return await _call(doors, request)
    except Exception as error:  # noqa: BLE001 - it becomes the connector's answer, and is logged
        status = getattr(error, "status", None)
        if not isinstance(status, int):
            _log.exception("The connector '%s' failed at '%s'.", request.api, request.operation)
            status = 500
        return Reply(status, {"status": status, "message": str(error)})


async def _call(doors: Doors, request: Request) -> Reply:
    names = _segments(request)
    if request.api == "azureblob":
        return await _read_blob(doors.blobs, request)
    if request.api == "documentdb":
        return await _upsert(doors.documents, request, names[1], names[2])
    token = request.queries.get("lockToken")
    if not isinstance(token, str) or not token:
        raise _Refused("The query parameter 'lockToken' is missing.")
    if request.operation == "complete":
        await doors.queues.complete(names[0], token)
    elif request.operation == "abandon":
        await doors.queues.abandon(names[0], token)
    elif request.operation == "renewlock":
        await doors.queues.renew(names[0], token)
    else:
        reason = request.queries.get("deadLetterReason")
        description = request.queries.get("deadLetterErrorDescription")
        await doors.queues.dead_letter(names[0], token, reason, description)
    return Reply(200)


def _segments(request: Request) -> list[str]:
    """The names in the path, decoded as often as the connector does."""
    operation = next(
        each for each in OPERATIONS if (each.api, each.name) == (request.api, request.operation)
    )
    segments = request.path.strip("/").split("/")
    if len(segments) != len(operation.path):
        raise _Refused(f"The path '{request.path}' is not that of the operation.")
    names = [found for wanted, found in zip(operation.path, segments, strict=True) if wanted == "*"]
    for _ in range(operation.times_encoded):
        names = [unquote(name) for name in names]
    return names


async def _read_blob(blobs: Blobs, request: Request) -> Reply:
    path = request.queries.get("path")
    if not isinstance(path, str) or "/" not in path.strip("/"):
        raise _Refused("The query parameter 'path' must be '/container/blob'.")
    container, name = path.lstrip("/").split("/", 1)
    content = await blobs.read(container, name)
    infers = str(request.queries.get("inferContentType", True)).lower() == "true"
    kind = (mimetypes.guess_type(name)[0] if infers else None) or _BINARY
    return Reply(200, _content(content, kind), {"Content-Type": kind})


def _content(content: bytes, kind: str) -> Any:
    """How a workflow sees content: JSON and text as they are, anything else wrapped."""
    if kind == "application/json":
        try:
            return json.loads(content)
        except ValueError:
            kind = _BINARY
    if kind.startswith("text/"):
        return content.decode(errors="replace")
    return {"$content-type": kind, "$content": base64.b64encode(content).decode()}


async def _upsert(documents: Documents, request: Request, database: str, container: str) -> Reply:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if str(headers.get("x-ms-documentdb-is-upsert")).lower() != "true":
        raise _Refused("Only upserts are supported by the emulator.")
    if not isinstance(request.body, dict):
        raise _Refused("The input content is invalid because the required properties are missing.")
    try:
        key = json.loads(headers["x-ms-documentdb-raw-partitionkey"])
    except (KeyError, TypeError, ValueError):
        raise _Refused("The partition key supplied in the request is not JSON.") from None
    if key not in request.body.values():
        raise _Refused(
            "PartitionKey extracted from document doesn't match the one specified in the header."
        )
    stored = await documents.upsert(database, container, request.body)
    return Reply(200, dict(stored), {"Content-Type": "application/json"})


def trigger_body(message: Message) -> dict[str, Any]:
    """A message as the trigger hands it to the workflow."""
    properties = {name: _text(value) for name, value in message.application_properties.items()}
    return {
        "ContentData": base64.b64encode(message.body).decode(),
        "ContentType": message.content_type or "",
        "ContentTransferEncoding": "Base64",
        "Properties": properties
        | {
            "DeliveryCount": str(message.delivery_count),
            "EnqueuedTimeUtc": format_datetime(message.enqueued_time, usegmt=True),
            "LockedUntilUtc": format_datetime(message.locked_until, usegmt=True),
            "LockToken": message.lock_token,
            "MessageId": message.message_id,
            "SequenceNumber": str(message.sequence_number),
            "State": "Active",
        },
        "MessageId": message.message_id,
        "To": message.to,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": None,
        "Label": message.subject,
        "ScheduledEnqueueTimeUtc": "0001-01-01T00:00:00Z",
        "SessionId": message.session_id,
        "CorrelationId": message.correlation_id,
        "SequenceNumber": message.sequence_number,
        "LockToken": message.lock_token,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
