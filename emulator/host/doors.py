"""The sockets that are served: bound first, so that every port is known before anything starts.

Source of the text for a port that is taken: Core Tools.
"""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from emulator.host.errors import StartError
from emulator.http_refusals import CourteousRunner, empty_refusal

_BACKLOG = 1024
# What a client may leave a connection open for between requests; the vendor's clients reuse them.
_KEEP_ALIVE_S = 130.0
# Kestrel's: the first line, all headers together (here each of them), and how many there are.
_LINE_LIMIT, _HEADERS_LIMIT, _HEADER_COUNT = 8192, 32_768, 100


@dataclass
class Door:
    """A listening socket and what is served on it.

    Attributes:
        name: as the line for machines calls it.
        tls: what https needs; None is http.
    """

    name: str
    socket: socket.socket
    tls: ssl.SSLContext | None = None
    runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its base URL without a trailing slash."""
        if self.tls is not None:
            # The name in the certificate.
            return f"https://localhost:{self.port}"
        host = self.socket.getsockname()[0]
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def serve(self, app: web.Application) -> None:
        """Begin to answer."""
        self.runner = CourteousRunner(
            app,
            empty_refusal,
            keepalive_timeout=_KEEP_ALIVE_S,
            shutdown_timeout=1.0,
            max_line_size=_LINE_LIMIT,
            max_field_size=_HEADERS_LIMIT,
            max_headers=_HEADER_COUNT,
        )
        await self.runner.setup()
        await web.SockSite(self.runner, self.socket, backlog=_BACKLOG, ssl_context=self.tls).start()

    async def close(self) -> None:
        """Answer no more."""
        if self.runner is not None:
            await self.runner.cleanup()
        self.socket.close()


def open_door(name: str, address: str, port: int, option: str) -> Door:
    """Bind a port.

    Args:
        port: 0 takes any free one.
        option: how the command line names another, for the error.
    Raises:
        StartError: the port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise StartError(
            f"Port {port} is unavailable. Close the process using that port, or specify another "
            f"port using {option}."
        ) from error
    bound.setblocking(False)
    return Door(name, bound)


async def close_all(doors: Sequence[Door]) -> None:
    """Close every door, the last opened first."""
    for door in reversed(doors):
        await door.close()
