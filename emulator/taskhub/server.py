"""The task hub's HTTP API: one handler behind the RPC base and the public base.

`/durabletask/` is for the SDK's client inside the worker and asks for no key;
`/runtime/webhooks/durabletask/` is the public API. Unknown routes and methods are 404 without a
body. Every body is empty or JSON.

Source: protocol specification, 8 and 9.
"""

import logging
from collections.abc import Callable
from urllib.parse import unquote

from aiohttp import web

from emulator.database import StorageError
from emulator.taskhub.errors import Refused, invalid_operation
from emulator.taskhub.hub import TaskHub
from emulator.taskhub.requests import Request, respond
from emulator.taskhub.routes_entities import route_entities
from emulator.taskhub.routes_instances import route_instances, route_orchestrators

_log = logging.getLogger("Host.Triggers.DurableTask")
_RPC, _PUBLIC = "durabletask", "runtime/webhooks/durabletask"
_FAMILIES = {
    "orchestrators": route_orchestrators,
    "instances": route_instances,
    "entities": route_entities,
}
Authorize = Callable[[web.Request], bool]


def routes(hub: TaskHub, authorize: Authorize | None = None) -> list[web.RouteDef]:
    """The routes of both bases.

    Args:
        authorize: whether a request to the public base may be served; without it the hub's system
            key is asked for, if it has one.
    """
    allowed = authorize or (lambda request: _has_key(request, hub.options.system_key))

    async def rpc(request: web.Request) -> web.StreamResponse:
        return await _handle(hub, request)

    async def public(request: web.Request) -> web.StreamResponse:
        if not allowed(request):
            return web.Response(status=401)
        return await _handle(hub, request)

    return [
        web.route("*", f"/{{base:(?i:{_RPC})}}/{{tail:.*}}", rpc),
        web.route("*", f"/{{base:(?i:{_PUBLIC})}}/{{tail:.*}}", public),
    ]


def _has_key(request: web.Request, key: str | None) -> bool:
    given = request.query.get("code") or request.headers.get("x-functions-key")
    return key is None or given == key


async def _handle(hub: TaskHub, request: web.Request) -> web.StreamResponse:
    base = request.match_info["base"]
    path = request.rel_url.raw_path[len(base) + 2 :]
    segments = [unquote(segment) for segment in path.split("/")]
    if len(segments) > 1 and segments[-1] == "":
        segments.pop()
    family = _FAMILIES.get(segments[0].lower())
    if family is None:
        return web.Response(status=404)
    asked = Request(hub, request, segments[1:])
    try:
        asked.check_hub()
        return await family(asked)
    except Refused as refusal:
        return respond(refusal.status, refusal.body)
    except StorageError as error:
        _log.error("%s", error)
        return respond(500, invalid_operation(str(error)).body)
