"""The HTTPS door of Service Bus: send, receive, settle.

The routes are one table; doors that only the emulator has are under `/$emulator/`. Mounted by the
host beside Event Grid's. Authorization of the two kinds the service knows is taken as it is, never
checked; with `require_authorization` a request without any is refused as the service does.

Source: Service Bus REST reference, "Service Bus runtime". Left out: sessions (the service has none
over HTTPS either), topics.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote
from uuid import UUID
from xml.sax.saxutils import escape

from aiohttp import web

from emulator.database import StorageError
from emulator.faults import InjectedFault
from emulator.servicebus.broker import Broker
from emulator.servicebus.errors import (
    InvalidMessage,
    InvalidOperation,
    MessageLockLost,
    MessageTooLarge,
    MissingToken,
    ServiceBusError,
)
from emulator.servicebus.messages import ReceivedMessage
from emulator.servicebus.wire import (
    BATCH_CONTENT_TYPE,
    browse_entry,
    read_batch,
    read_message,
    response_headers,
)

_Handler = Callable[[Broker, web.Request], Awaitable[web.StreamResponse]]
_DEFAULT_WAIT_S = 60
_PEEK_LIMIT = 250
_SCHEMES = ("sharedaccesssignature ", "bearer ")


def routes(broker: Broker, *, require_authorization: bool = False) -> list[web.RouteDef]:
    """Every operation of the door."""
    table: list[tuple[str, str, _Handler]] = [
        ("GET", "/$emulator/queues", _list_queues),
        ("GET", "/$emulator/queues/{path:.+}/messages", _peek),
        ("POST", "/$emulator/queues/{path:.+}/messages/{token}/deadletter", _dead_letter),
        ("POST", "/{path:.+}/messages/head", _peek_lock),
        ("DELETE", "/{path:.+}/messages/head", _receive_and_delete),
        ("POST", "/{path:.+}/messages", _send),
        ("DELETE", "/{path:.+}/messages/{message}/{token}", _complete),
        ("PUT", "/{path:.+}/messages/{message}/{token}", _abandon),
        ("POST", "/{path:.+}/messages/{message}/{token}", _renew),
    ]
    return [
        web.route(method, path, _guarded(broker, handler, require_authorization))
        for method, path, handler in table
    ]


def _guarded(
    broker: Broker, handler: _Handler, require_authorization: bool
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            _authorize(request, require_authorization)
            return await handler(broker, request)
        except ServiceBusError as error:
            return _refusal(error.status, str(error))
        except (InjectedFault, StorageError) as error:
            return _refusal(500, f"The service was unable to process the request: {error}")

    return handle


def _authorize(request: web.Request, is_required: bool) -> None:
    given = request.headers.get("Authorization")
    if given is None and not is_required:
        return
    if given is None or not given.lower().startswith(_SCHEMES):
        raise MissingToken


def _refusal(status: int, detail: str) -> web.Response:
    text = f"<Error><Code>{status}</Code><Detail>{escape(detail)}</Detail></Error>"
    return web.Response(status=status, text=text, content_type="application/xml", charset="utf-8")


async def _send(broker: Broker, request: web.Request) -> web.StreamResponse:
    path = request.match_info["path"]
    limit = broker.settings(path).max_message_bytes
    body = await _read(request, limit)
    if request.content_type == BATCH_CONTENT_TYPE:
        messages = read_batch(body)
    else:
        messages = [read_message(body, request.headers)]
    await broker.send(path, messages)
    return web.Response(status=201)


async def _read(request: web.Request, limit: int) -> bytes:
    """The body, unless it is over the limit: then it is not even read to its end."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise MessageTooLarge(max(size, request.content_length or 0), limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def _peek_lock(broker: Broker, request: web.Request) -> web.StreamResponse:
    path = request.match_info["path"]
    messages = await broker.receive(path, 1, _wait_s(request))
    if not messages:
        return web.Response(status=204)
    message = messages[0]
    identifier = quote(message.message_id or str(message.sequence_number), safe="")
    location = f"/{quote(path, safe='/$')}/messages/{identifier}/{message.lock_token}"
    headers = {"Location": f"{request.url.origin()}{location}"}
    return _message(201, message, headers | response_headers(message, is_locked=True))


async def _receive_and_delete(broker: Broker, request: web.Request) -> web.StreamResponse:
    path = request.match_info["path"]
    messages = await broker.receive_and_delete(path, 1, _wait_s(request))
    if not messages:
        return web.Response(status=204)
    return _message(200, messages[0], response_headers(messages[0], is_locked=False))


def _message(status: int, message: ReceivedMessage, headers: dict[str, str]) -> web.Response:
    content_type = message.content_type or "application/octet-stream"
    return web.Response(
        status=status, body=message.body, headers=headers | {"Content-Type": content_type}
    )


def _wait_s(request: web.Request) -> float:
    text = request.query.get("timeout", str(_DEFAULT_WAIT_S))
    if not text.isdecimal():
        raise InvalidOperation("The timeout must be a whole number of seconds.")
    return float(text)


def _token(request: web.Request) -> str:
    try:
        return str(UUID(request.match_info["token"]))
    except ValueError:
        raise MessageLockLost from None


async def _complete(broker: Broker, request: web.Request) -> web.StreamResponse:
    await broker.complete(request.match_info["path"], _token(request))
    return web.Response(status=200)


async def _abandon(broker: Broker, request: web.Request) -> web.StreamResponse:
    await broker.abandon(request.match_info["path"], _token(request))
    return web.Response(status=200)


async def _renew(broker: Broker, request: web.Request) -> web.StreamResponse:
    await broker.renew(request.match_info["path"], _token(request))
    return web.Response(status=200)


async def _list_queues(broker: Broker, _: web.Request) -> web.StreamResponse:
    listed: list[dict[str, Any]] = [
        {"name": name, "counts": broker.counts(name)} for name in broker.queue_names()
    ]
    return web.json_response({"queues": listed})


async def _peek(broker: Broker, request: web.Request) -> web.StreamResponse:
    after, count = request.query.get("from", "0"), request.query.get("count", "100")
    if not after.isdecimal() or not count.isdecimal() or not 1 <= int(count) <= _PEEK_LIMIT:
        raise InvalidOperation(
            f"'from' is a sequence number, 'count' a number from 1 to {_PEEK_LIMIT}."
        )
    messages = await broker.peek(request.match_info["path"], int(after), int(count))
    following = messages[-1].sequence_number + 1 if len(messages) == int(count) else None
    return web.json_response(
        {"messages": [browse_entry(message) for message in messages], "next": following}
    )


async def _dead_letter(broker: Broker, request: web.Request) -> web.StreamResponse:
    """What the service offers over AMQP only: dead-letter a locked message."""
    try:
        given = await request.json() if request.can_read_body else {}
    except ValueError as error:
        raise InvalidMessage(f"The body is not JSON: {error}.") from error
    if not isinstance(given, dict):
        raise InvalidMessage("The body is a JSON object with 'reason' and 'description'.")
    reason, description = given.get("reason"), given.get("description")
    await broker.dead_letter(request.match_info["path"], _token(request), reason, description)
    return web.Response(status=200)
