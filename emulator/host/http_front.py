"""The host's HTTP front end: from a request to a function and back.

Answers what the real host answers: 404 for a method that is not listed (never 405), 401 for a
missing key, 500 without a body for a function that failed. Built-in routes (admin, webhooks) are
mounted before it and win over functions.

Source: the host's middleware, in its order: body size, availability, exceptions, home page,
throttle, CORS, keys, function.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from emulator.host.functions import Function
from emulator.host.http_messages import binding_values, request_datum, response_of
from emulator.host.invocations import PROGRAMMATICALLY, Invocations, Request
from emulator.host.keys import Keys, Level
from emulator.host.log import Log
from emulator.host.routing import Router

# What Kestrel is set to by the host.
DEFAULT_BODY_LIMIT = 104_857_600
_START_WAIT_S = 30.0
_LEVELS = {"anonymous": Level.ANONYMOUS, "function": Level.FUNCTION, "admin": Level.ADMIN}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LANDING_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Functions host</title></head>
<body><h1>Your function app is up and running</h1>
<p>This is a local emulator of the Azure Functions host. It is not for production.</p>
<ul><li><a href="/admin/functions">functions</a></li>
<li><a href="/admin/host/status">host status</a></li>
<li><a href="/emulator/faults">injected faults</a></li></ul></body></html>
"""


@dataclass(frozen=True)
class FrontOptions:
    """How the front end behaves.

    Attributes:
        cors: allowed origins; `*` among them allows any. Empty is no CORS at all.
        max_concurrent, max_outstanding: -1 is unbounded.
    """

    body_limit: int = DEFAULT_BODY_LIMIT
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    cors: tuple[str, ...] = ()
    cors_credentials: bool = False
    max_concurrent: int = -1
    max_outstanding: int = -1
    home_page: bool = True


class HttpFront:
    """Serves the HTTP functions of one app."""

    def __init__(self, options: FrontOptions, log: Log) -> None:
        self._options = options
        self._log = log
        self._router = Router()
        self._functions: Mapping[str, Function] = {}
        self._invocations: Invocations | None = None
        self._keys: Keys | None = None
        self._ready = asyncio.Event()
        self._stopping = False
        self._outstanding = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._slots = (
            asyncio.Semaphore(options.max_concurrent) if options.max_concurrent > 0 else None
        )
        self._warned_of_chunks = False

    def open(
        self,
        router: Router,
        functions: Mapping[str, Function],
        invocations: Invocations,
        keys: Keys | None,
    ) -> None:
        """Let requests in; those that came before have waited for this."""
        self._router = router
        self._functions = functions
        self._invocations = invocations
        self._keys = keys
        self._ready.set()

    def close(self) -> None:
        """Let no more requests in."""
        self._stopping = True

    async def wait_until_idle(self) -> None:
        """Return when every request that was let in is answered."""
        await self._idle.wait()

    def make_app(self, built_in: Iterable[web.AbstractRouteDef]) -> web.Application:
        """The web application: built-in routes, then the functions."""
        app = web.Application(middlewares=[self._manners], client_max_size=self._options.body_limit)
        app.add_routes(list(built_in))
        app.router.add_route("*", "/", self._home)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._function)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = "Kestrel"
        if self._options.cors and (origin := self._allowed(request)) is not None:
            headers["Access-Control-Allow-Origin"] = origin
            if self._options.cors_credentials:
                headers["Access-Control-Allow-Credentials"] = "true"
        for name, value in self._options.custom_headers.items():
            headers[name] = value

    def _allowed(self, request: web.Request) -> str | None:
        origin = request.headers.get("Origin")
        if origin is None:
            return None
        if "*" in self._options.cors:
            return origin if self._options.cors_credentials else "*"
        return origin if origin in self._options.cors else None

    @web.middleware
    async def _manners(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What is true of every answer, whichever door it came through."""
        if (
            self._options.cors
            and request.method == "OPTIONS"
            and "Access-Control-Request-Method" in request.headers
        ):
            return self._preflight(request)
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        except (web.HTTPException, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the emulator is told and answered
            self._log.error(f"An unhandled host error has occurred: {error!r}")
            return web.Response(status=500)

    def _preflight(self, request: web.Request) -> web.Response:
        headers = {
            "Access-Control-Allow-Methods": request.headers["Access-Control-Request-Method"],
        }
        asked = request.headers.get("Access-Control-Request-Headers")
        if asked:
            headers["Access-Control-Allow-Headers"] = asked
        return web.Response(status=204, headers=headers)

    async def _home(self, request: web.Request) -> web.StreamResponse:
        if request.method in ("GET", "HEAD") and self._router.find(request.method, "/") is None:
            if not self._options.home_page:
                return web.Response(status=204)
            return web.Response(text=LANDING_PAGE, content_type="text/html")
        return await self._function(request)

    async def _function(self, request: web.Request) -> web.StreamResponse:
        if not await self._is_available():
            return web.Response(status=503, text="Function host is not running.")
        limit = self._options.max_outstanding
        if 0 < limit <= self._outstanding:
            return web.Response(status=429)
        self._outstanding += 1
        self._idle.clear()
        try:
            if self._slots is None:
                return await self._dispatch(request)
            async with self._slots:
                return await self._dispatch(request)
        finally:
            self._outstanding -= 1
            if not self._outstanding:
                self._idle.set()

    async def _is_available(self) -> bool:
        """Whether functions can be called; waits, with a bound, for a host that starts."""
        try:
            async with asyncio.timeout(_START_WAIT_S):
                await self._ready.wait()
        except TimeoutError:
            return False
        return not self._stopping

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        found = self._router.find(request.method, request.rel_url.raw_path)
        if found is None:
            return web.Response(status=404)
        function, params = self._functions[found[0]], found[1]
        level = self._level(request, function)
        if function.disabled and level < Level.ADMIN:
            return web.Response(status=404)
        wanted = _LEVELS[(function.trigger.text("authLevel") or "function").lower()]
        if level < wanted:
            return web.Response(status=401)
        return await self._invoke(request, function, params)

    def _level(self, request: web.Request, function: Function) -> Level:
        if self._keys is None:
            return Level.ANONYMOUS if function.disabled else Level.ADMIN
        return self._keys.level(given_key(request), function=function.name)

    async def _invoke(
        self, request: web.Request, function: Function, params: Mapping[str, str]
    ) -> web.StreamResponse:
        assert self._invocations is not None
        body = await request.read()
        if body and request.content_length is None:
            self._warn_of_chunks()
        datum, parts = request_datum(request, params, body)
        outcome = await self._invocations.run(
            Request(
                function=function,
                trigger=datum,
                reason=PROGRAMMATICALLY,
                trace_parent=request.headers.get("traceparent", ""),
                trace_state=request.headers.get("tracestate", ""),
                data=lambda: binding_values(parts, body, request.content_type),
            )
        )
        return response_of(outcome.response) if outcome.ok else web.Response(status=500)

    def _warn_of_chunks(self) -> None:
        if not self._warned_of_chunks:
            self._warned_of_chunks = True
            self._log.warning(
                "A request body came without Content-Length. The real host drops such a body; "
                "here it is passed on."
            )


def given_key(request: web.Request) -> str | None:
    """The key of a request: the header wins over the query."""
    return request.headers.get("x-functions-key") or request.query.get("code")


def host_id() -> str:
    """An id in the form that host ids have."""
    return uuid.uuid4().hex
