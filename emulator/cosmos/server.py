"""The HTTP door: from a request to its route and back, with authentication and faults on the way.

Source: specification, sections 2, 4 and 13. Timeouts, compression and HTTP/2 are left out.
"""

import json
import logging
from collections.abc import Mapping
from urllib.parse import unquote

from aiohttp import web

from emulator.cosmos.account import Account
from emulator.cosmos.auth import Authenticator
from emulator.cosmos.errors import CosmosError, too_large
from emulator.cosmos.routes import route
from emulator.cosmos.wire import Call, Reply, activity_id, answer_headers, error_reply
from emulator.database import StorageError
from emulator.faults import InjectedFault
from emulator.identity import Identity

_log = logging.getLogger(__name__)
# Larger than an item may be, so that the answer to one that is too large can be 413.
_MAX_REQUEST = 8 * 1024 * 1024
_FAULT_POINT = "cosmos.request"


def create_app(service: Account, identity: Identity | None = None) -> web.Application:
    """The application that serves an account, and a managed identity beside it if one is given."""
    app = web.Application(client_max_size=_MAX_REQUEST)
    if identity is not None:
        app.add_routes(identity.routes())
    app.router.add_route("*", "/{path:.*}", Door(service).handle)
    return app


class Door:
    """Serves an account over HTTP."""

    def __init__(self, service: Account) -> None:
        self._service = service
        self._authenticator = Authenticator(service.key)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer a request; never raises."""
        activity = activity_id(request.headers.get("x-ms-activity-id"))
        try:
            reply = await self._reply(request)
        except CosmosError as error:
            reply = error_reply(error, activity)
        except StorageError as error:
            reply = error_reply(CosmosError(503, str(error)), activity)
        except Exception:  # noqa: BLE001 - the door answers 500 and the log says why
            _log.exception("A request to the Cosmos DB endpoint failed")
            reply = error_reply(CosmosError(500, "An unexpected error; see the log."), activity)
        return _response(reply, activity)

    async def _reply(self, request: web.BaseRequest) -> Reply:
        path = request.raw_path.partition("?")[0]
        segments = [unquote(part) for part in path.split("/") if part]
        verb, headers = request.method, request.headers
        self._authenticator.check(
            verb, path, segments, (headers.get("authorization"), headers.get("x-ms-date"))
        )
        handler, ids = route(verb, segments)
        try:
            body = await request.read() if request.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            raise too_large() from None
        call = Call(self._service, verb, ids, headers, body, f"{request.scheme}://{request.host}")
        is_twice = await self._pass_fault(verb, segments, ids, headers)
        if is_twice:
            await handler(call)
        return await handler(call)

    async def _pass_fault(
        self, verb: str, segments: list[str], ids: list[str], headers: Mapping[str, str]
    ) -> bool:
        try:
            return await self._service.faults.at(
                _FAULT_POINT,
                method=verb,
                path="/" + "/".join(segments),
                container=ids[1] if len(ids) > 1 else "",
                id=ids[2] if len(ids) > 2 else "",
                partition=headers.get("x-ms-documentdb-partitionkey", ""),
            )
        except InjectedFault as fault:
            raise _injected(str(fault)) from None


def _injected(message: str) -> CosmosError:
    """The refusal that a rule asks for: 503, or what its message says as JSON."""
    try:
        wanted = json.loads(message)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        return CosmosError(503, message)
    headers = {name: str(value) for name, value in wanted.get("headers", {}).items()}
    text = wanted.get("message", "Injected fault.")
    return CosmosError(int(wanted.get("status", 503)), str(text), headers=headers)


def _response(reply: Reply, activity: str) -> web.Response:
    headers = answer_headers(reply, activity)
    headers["content-type"] = "application/json"
    return web.Response(status=reply.status, body=reply.body, headers=headers)
