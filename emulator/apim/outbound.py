"""Calls that policies make: `send-request`, OpenID metadata. They never leave this machine.

Addresses of Azure are mapped to their local stand-ins by prefix; loopback addresses pass; anything
else is refused with a text that says so, since an emulator that quietly calls the Internet would
surprise its user more than an error does.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from emulator.apim.messages import BODY_LIMIT, Body, Response

_CONNECTIONS = 512


class OutboundFailed(Exception):
    """No answer came: refused, unreachable, broken off, too large, or `timed_out`."""

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out


class Outbound:
    """The client of policies.

    Attributes:
        routes: prefix of an address of Azure to the prefix of its local stand-in; both end with
            `/`. May be changed while it runs.
    """

    def __init__(self, routes: Mapping[str, str]) -> None:
        self.routes = dict(routes)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the connection pool; to be called on the loop that will use it."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def resolve(self, url: str) -> str:
        """The local address for an address.

        Raises:
            OutboundFailed: it is neither mapped nor loopback.
        """
        for prefix, local in self.routes.items():
            if url.startswith(prefix):
                return local + url[len(prefix) :]
        if _is_loopback(url):
            return url
        raise OutboundFailed(
            f"The emulator does not call {urlsplit(url).netloc or url!r}: it is not on this "
            "machine and no local stand-in is known."
        )

    async def send(
        self, method: str, url: str, headers: CIMultiDict[str], body: bytes | None, timeout_s: float
    ) -> Response:
        """The answer to a request, its body in memory.

        Raises:
            OutboundFailed: no answer came in time.
        """
        assert self._session is not None, "start() first"
        target = URL(self.resolve(url), encoded=True)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(
                method, target, headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as answer:
                content = await _read(answer)
                return Response(
                    answer.status,
                    answer.reason or "",
                    CIMultiDict(answer.headers),
                    Body(content),
                )
        except TimeoutError as error:
            text = f"{url} did not answer within {timeout_s:g} seconds."
            raise OutboundFailed(text, timed_out=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise OutboundFailed(f"{url} cannot be reached: {error}") from error


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    received = bytearray()
    async for piece in answer.content.iter_any():
        received += piece
        if len(received) > BODY_LIMIT:
            raise OutboundFailed("The answer is larger than a policy may read.")
    return bytes(received)


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in ("http", "https"):
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
