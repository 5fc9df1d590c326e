"""What a server answers to bytes that are no request: too long a line, too many headers, no HTTP.

aiohttp answers with its own sentence, which repeats the bytes. The services answer in their own
manner instead: `refuse` makes the response of a status. Which status is Kestrel's choice, which
both the Functions host and the gateway run on.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

Refuse = Callable[[int], web.Response]


def empty_refusal(status: int) -> web.Response:
    """Kestrel's own: no body."""
    return web.Response(status=status, headers={"Server": "Kestrel"})


class CourteousRunner(web.AppRunner):
    """An `AppRunner` that answers with `refuse` what does not become a request.

    Args:
        max_line_size, max_field_size: of the address, and of one header; they must differ, since
            they are how one is told from the other.
    """

    __slots__ = ("_refuse",)

    def __init__(self, app: web.Application, refuse: Refuse, **options: Any) -> None:
        # A body stays as it was sent; what was packed is for whoever asked for it to unpack.
        super().__init__(app, access_log=None, auto_decompress=False, **options)
        self._refuse = refuse

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(
            made.request_handler,
            request_factory=made.request_factory,
            loop=made._loop,
            **made._kwargs,
        )
        server.refuse = self._refuse
        return server


class _Server(web.Server):
    refuse: Refuse = staticmethod(empty_refusal)

    def __call__(self) -> web.RequestHandler:
        handler = _Handler(self, loop=self._loop, **self._kwargs)
        handler.refuse = self.refuse
        return handler


class _Handler(web.RequestHandler):
    __slots__ = ("refuse",)

    refuse: Refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        # For what it logs, and for a response that has begun already.
        super().handle_error(request, status, exc, message)
        if isinstance(exc, LineTooLong):
            status = 414 if exc.args[1] == self.max_line_size else 431
        elif message == "Too many headers received":
            status = 431
        response = self.refuse(status)
        response.force_close()
        return response
