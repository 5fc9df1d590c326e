"""The wire side of the gateway: from aiohttp's request to `Gateway.call`, and back.

Also the gateway's own limits (URL, headers, host names), preflight requests, and one log line for
each call, without keys.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from emulator.apim.backend import without_hop_by_hop
from emulator.apim.config import LOOPBACK_NAMES
from emulator.apim.context import Context
from emulator.apim.errors import NOT_FOUND, Answer
from emulator.apim.gateway import Gateway, response_of
from emulator.apim.management import management_routes
from emulator.apim.messages import Body, Request, Response, Url
from emulator.apim.policies.cors import CorsRule

# Bounds of what a request may be; aiohttp refuses single lines beyond them while it reads.
URL_LIMIT = 16 * 1024
HEADERS_LIMIT = 64 * 1024
_TRACE_LIMIT = 4096
_NOTHING: frozenset[str] = frozenset()
_URL_TOO_LONG = Answer(414, "URI Too Long", "The URL is too long.")
_HEADERS_TOO_LARGE = Answer(431, "Request Header Fields Too Large", "The headers are too large.")
_BAD_REQUEST = Answer(400, "Bad Request", "The request is not valid HTTP.")
_BAD_HOST = Answer(400, "Bad Request", "Invalid hostname")
_BAD_TARGET = Answer(400, "Bad Request", "Invalid URL")
_log = logging.getLogger("emulator.apim")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(status: int) -> web.Response:
    """The gateway's answer to what is no request."""
    told = {414: _URL_TOO_LONG, 431: _HEADERS_TOO_LARGE, 400: _BAD_REQUEST}
    reason = HTTPStatus(status).phrase
    return _plain(response_of(told.get(status) or Answer(status, reason, reason), None))


def create_app(gateway: Gateway, more: Iterable[web.RouteDef] = ()) -> web.Application:
    """The gateway's application: its own doors and `more` first, everything else is a call."""
    app = web.Application(middlewares=[_known_host(gateway)], client_max_size=0)
    app.add_routes([*management_routes(gateway), *more])
    handler = _Calls(gateway)
    app.router.add_route("*", r"/{path:[\s\S]*}", handler.handle)
    return app


def _known_host(gateway: Gateway) -> Middleware:
    """Answers to its own names only: a page of another site cannot reach a name of its choice."""
    names = LOOPBACK_NAMES | {name.lower() for name in gateway.config.host_names}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host, _ = _split_host(request.host)
        if host.lower() not in names:
            return _plain(response_of(_BAD_HOST, None))
        return await handler(request)

    return check


class _Calls:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def handle(self, incoming: web.Request) -> web.StreamResponse:
        refused = _refusal(incoming)
        if refused is not None:
            return _plain(response_of(refused, None))
        request = _request(incoming)
        router = self._gateway.snapshot.router
        found = router.api(request.url.path)
        if found is None:
            return _plain(response_of(NOT_FOUND, None))
        api, rest = found
        match = router.operation(api, rest, request.method)
        if match is None and _is_preflight(request):
            wanted = request.headers["Access-Control-Request-Method"].upper()
            match = router.operation(api, rest, wanted)
            if match is not None:
                chain = self._gateway.snapshot.chain(match, None)
                return _plain(_preflight(chain.cors, request, wanted))
        if match is None:
            return _plain(response_of(NOT_FOUND, None))
        context = await self._gateway.call(request, match)
        try:
            return await _write(incoming, context)
        finally:
            for close in context.resources:
                close()
            _log_call(context)


def _refusal(incoming: web.Request) -> Answer | None:
    target = incoming.raw_path
    if len(target) > URL_LIMIT:
        return _URL_TOO_LONG
    if not target.startswith("/"):
        return _BAD_TARGET
    if sum(len(name) + len(value) + 4 for name, value in incoming.raw_headers) > HEADERS_LIMIT:
        return _HEADERS_TOO_LARGE
    return None


def _request(incoming: web.Request) -> Request:
    path, mark, query = incoming.raw_path.partition("?")
    host, port = _split_host(incoming.host)
    default = 443 if incoming.scheme == "https" else 80
    url = Url(incoming.scheme, host, port or default, path, f"?{query}" if mark and query else "")
    body = Body(stream=incoming.content.iter_any()) if incoming.body_exists else Body()
    headers: CIMultiDict[str] = CIMultiDict(incoming.headers)
    return Request(incoming.method, url, headers, body=body, ip=incoming.remote or "127.0.0.1")


def _split_host(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and not host.endswith(":"):
        return host, int(port)
    return text, None


def _is_preflight(request: Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def _preflight(rules: list[CorsRule], request: Request, method: str) -> Response:
    """The answer to a preflight request; without headers if no rule allows it."""
    wanted = request.headers.get("Access-Control-Request-Headers", "")
    response = Response(200, "OK")
    for rule in rules:
        headers = rule.preflight(request.headers["Origin"], method, wanted)
        if headers is not None:
            response.headers.update(headers)
            break
    return response


def _plain(response: Response) -> web.Response:
    return web.Response(
        status=response.status,
        reason=response.reason or None,
        headers=response.headers,
        body=response.body.content,
    )


async def _write(incoming: web.Request, context: Context) -> web.StreamResponse:
    response = context.response
    assert response is not None
    headers = without_hop_by_hop(response.headers, _NOTHING)
    if context.notes is not None:
        headers["X-Emulator-Policy-Trace"] = _trace(context.notes)
    if response.body.stream is None:
        return _whole(incoming, response, headers)
    return await _streamed(incoming, response, headers)


def _whole(
    incoming: web.Request, response: Response, headers: CIMultiDict[str]
) -> web.StreamResponse:
    # The length of a HEAD or 304 answer is the backend's; of any other that of its body.
    if incoming.method != "HEAD" and response.status != 304:
        headers.popall("Content-Length", None)
    return web.Response(
        status=response.status,
        reason=response.reason or None,
        headers=headers,
        body=response.body.content,
    )


async def _streamed(
    incoming: web.Request, response: Response, headers: CIMultiDict[str]
) -> web.StreamResponse:
    outgoing = web.StreamResponse(
        status=response.status, reason=response.reason or None, headers=headers
    )
    stream = response.body.stream
    assert stream is not None
    await outgoing.prepare(incoming)
    try:
        async for piece in stream:
            await outgoing.write(piece)
        await outgoing.write_eof()
    except Exception as error:
        # The head is sent: all that is left is to break off, so that nobody takes it for whole.
        _log.error("An answer broke off: %s", error)
        if incoming.transport is not None:
            incoming.transport.close()
        raise
    return outgoing


def _trace(notes: list[str]) -> str:
    text = "; ".join(notes).encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else " " for c in text)[:_TRACE_LIMIT]


def _log_call(context: Context) -> None:
    response, error = context.response, context.last_error
    total = context.services.monotonic() - context.started
    _log.info(
        "%s %s %s %s product=%s subscription=%s status=%s%s gateway=%.1fms backend=%.1fms",
        context.request_id,
        context.request.method,
        context.api.id,
        context.operation.id,
        context.product.id if context.product else "-",
        context.subscription.id if context.subscription else "-",
        response.status if response else "-",
        f" error={error.source}/{error.reason}" if error else "",
        (total - context.backend_s) * 1000,
        context.backend_s * 1000,
    )
