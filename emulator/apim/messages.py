"""The messages that policies read and change: URL, body, request, response.

A body is either bytes in memory or a stream not yet read. Policies that look into it cause it to be
read first (`Body.load`); nobody else does, so that what no policy reads is passed on piece by
piece.
"""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from multidict import CIMultiDict, MultiDict

# What a policy may read of a body; more is refused with 413.
BODY_LIMIT = 5 * 1024 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BodyConsumed(Exception):
    """The body was read before, without `preserveContent`."""


class BodyTooLarge(Exception):
    """A policy reads the body, and it is larger than `BODY_LIMIT`."""


class Url:
    """An absolute URL, percent-encoding kept.

    Attributes:
        path: begins with `/`.
        query_string: begins with `?`, or is empty.
    """

    __slots__ = ("_query", "host", "path", "port", "query_string", "scheme")

    def __init__(self, scheme: str, host: str, port: int, path: str, query_string: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.query_string = query_string
        self._query: MultiDict[str] | None = None

    @property
    def query(self) -> MultiDict[str]:
        """The parameters, decoded."""
        if self._query is None:
            self._query = MultiDict(parse_qsl(self.query_string[1:], keep_blank_values=True))
        return self._query

    def __str__(self) -> str:
        port = "" if _DEFAULT_PORTS.get(self.scheme) == self.port else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}{self.query_string}"


class Body:
    """A message's body: `content` once it is in memory, else `stream`; neither means none."""

    __slots__ = ("_taken", "content", "stream")

    def __init__(
        self, content: bytes | None = None, stream: AsyncIterator[bytes] | None = None
    ) -> None:
        self.content = content
        self.stream = stream
        self._taken = False

    async def load(self) -> None:
        """Read the stream into memory.

        Raises:
            BodyTooLarge: it is longer than `BODY_LIMIT`.
        """
        if self.stream is None:
            return
        received = bytearray()
        async for piece in self.stream:
            received += piece
            if len(received) > BODY_LIMIT:
                raise BodyTooLarge
        self.content, self.stream = bytes(received), None

    def take(self, *, preserve: bool) -> bytes | None:
        """The bytes, for a policy; afterwards gone unless preserved.

        Raises:
            BodyConsumed: they were taken before.
        """
        if self._taken:
            raise BodyConsumed
        content = self.content
        if not preserve:
            self._taken = True
            self.content = b"" if content is not None else None
        return content


class Request:
    """The request as policies see it; `url` follows `rewrite-uri` and `set-query-parameter`."""

    __slots__ = ("body", "headers", "ip", "matched", "method", "original_url", "url")

    def __init__(
        self,
        method: str,
        url: Url,
        headers: CIMultiDict[str],
        *,
        body: Body | None = None,
        ip: str = "127.0.0.1",
    ) -> None:
        self.method = method
        self.url = url
        self.original_url = url
        self.headers = headers
        self.body = body or Body()
        self.ip = ip
        self.matched: dict[str, str] = {}


class Response:
    """A response, of the backend, of `send-request` or made by a policy."""

    __slots__ = ("body", "headers", "reason", "status")

    def __init__(
        self,
        status: int,
        reason: str = "",
        headers: CIMultiDict[str] | None = None,
        body: Body | None = None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers: CIMultiDict[str] = CIMultiDict() if headers is None else headers
        self.body = body or Body()
