"""Sends calls to the backend, piece by piece, and watches its circuit.

The path is sent as it came, percent-encoding kept; hop-by-hop headers stay behind, as does whatever
`Connection` names. Small bodies travel in one piece, larger ones stream both ways.
"""

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from emulator.apim.context import Context
from emulator.apim.errors import backend_failed, circuit_open
from emulator.apim.messages import Body, Response
from emulator.apim.model import Backend, CircuitRule
from emulator.faults import Faults, InjectedFault

# Bodies up to here are read at once: cheaper than streaming them.
SMALL_BODY = 64 * 1024
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS = frozenset({"host", "content-length", "expect"})
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_NO_BODY = (204, 304)


@dataclass
class _Circuit:
    failures: deque[float] = field(default_factory=deque)
    open_until: float = float("-inf")


class BackendClient:
    """The client of the backends; one connection pool.

    Args:
        monotonic: seconds that never go backwards.
    """

    def __init__(self, monotonic: Callable[[], float], faults: Faults) -> None:
        self._monotonic = monotonic
        self._faults = faults
        self._session: aiohttp.ClientSession | None = None
        self._circuits: dict[str, _Circuit] = {}

    async def start(self) -> None:
        """Open the connection pool; to be called on the loop that will use it."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def forward(self, context: Context, timeout_s: float) -> None:
        """Send the call; `context.response` is the answer, its body perhaps still to be read.

        Raises:
            PolicyError: the circuit is open, or no answer came.
        """
        backend = context.backend
        if backend is not None and backend.circuit is not None:
            self._check_circuit(backend, backend.circuit)
        began = self._monotonic()
        failed, retry_after = True, None
        try:
            context.response = await self._send(context, timeout_s)
            rule = backend.circuit if backend is not None else None
            status = context.response.status
            failed = rule is not None and rule.status_min <= status <= rule.status_max
            retry_after = context.response.headers.get("Retry-After")
        finally:
            context.backend_s += self._monotonic() - began
            if failed and backend is not None and backend.circuit is not None:
                self._note_failure(backend, backend.circuit, retry_after)

    async def _send(self, context: Context, timeout_s: float) -> Response:
        assert self._session is not None, "start() first"
        request = context.request
        headers = _forwarded_headers(context)
        url = _target(context)
        try:
            await self._faults.at("apim.forward", method=request.method, path=request.url.path)
            async with asyncio.timeout(timeout_s):
                data = await _request_body(context, headers)
                answer = await self._session.request(
                    request.method, url, headers=headers, data=data, allow_redirects=False
                )
                context.resources.append(answer.close)
                return await _response(answer)
        except TimeoutError as error:
            text = f"The backend did not answer within {timeout_s:g} seconds."
            raise backend_failed("forward-request", text, timed_out=True) from error
        except (aiohttp.ClientError, OSError, InjectedFault) as error:
            raise backend_failed("forward-request", f"The backend failed: {error}") from error

    def _check_circuit(self, backend: Backend, rule: CircuitRule) -> None:
        circuit = self._circuits.get(backend.id)
        left = circuit.open_until - self._monotonic() if circuit is not None else 0
        if circuit is not None and left > 0:
            raise circuit_open(max(1, round(left)))
        if circuit is not None:
            while circuit.failures and self._monotonic() - circuit.failures[0] > rule.interval_s:
                circuit.failures.popleft()

    def _note_failure(self, backend: Backend, rule: CircuitRule, retry_after: str | None) -> None:
        circuit = self._circuits.setdefault(backend.id, _Circuit())
        now = self._monotonic()
        circuit.failures.append(now)
        if len(circuit.failures) >= rule.failure_count:
            trip_s = rule.trip_s
            if rule.accept_retry_after and retry_after is not None and retry_after.isdecimal():
                trip_s = float(retry_after)
            circuit.open_until = now + trip_s
            circuit.failures.clear()


def _target(context: Context) -> URL:
    base, url = context.backend_url, context.request.url
    path = f"{base.path.rstrip('/')}{url.path}"
    return URL(f"{base.scheme}://{base.host}:{base.port}{path}{url.query_string}", encoded=True)


def without_hop_by_hop(headers: CIMultiDict[str], dropped: frozenset[str]) -> CIMultiDict[str]:
    """The headers that travel on: not those of the connection, nor what it names."""
    named = {
        name.strip().lower()
        for value in headers.getall("Connection", ())
        for name in value.split(",")
    }
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower not in _HOP_BY_HOP and lower not in dropped and lower not in named:
            kept.add(name, value)
    return kept


def _forwarded_headers(context: Context) -> CIMultiDict[str]:
    request = context.request
    headers = without_hop_by_hop(request.headers, _OURS)
    before = headers.popall("X-Forwarded-For", [])
    headers["X-Forwarded-For"] = ", ".join([*before, request.ip])
    if _TRACEPARENT.fullmatch(headers.get("traceparent", "")) is None:
        headers["traceparent"] = f"00-{context.request_id.hex}-{secrets.token_hex(8)}-01"
    return headers


async def _request_body(context: Context, headers: CIMultiDict[str]) -> object:
    """The data to send; sets `Content-Length` where the client's length still holds."""
    body = context.request.body
    if body.stream is None:
        return body.content
    length = context.request.headers.get("Content-Length", "")
    if length.isdecimal():
        if int(length) <= SMALL_BODY:
            await body.load()
            return body.content
        headers["Content-Length"] = length
    stream, body.stream = body.stream, None
    return stream


async def _response(answer: aiohttp.ClientResponse) -> Response:
    headers = without_hop_by_hop(CIMultiDict(answer.headers), frozenset())
    length = headers.get("Content-Length", "")
    if answer.method == "HEAD" or answer.status in _NO_BODY:
        return Response(answer.status, answer.reason or "", headers, Body())
    if length.isdecimal() and int(length) <= SMALL_BODY:
        try:
            content = await answer.content.read()
        except (aiohttp.ClientError, OSError) as error:
            text = f"The backend broke off: {error}"
            raise backend_failed("forward-request", text) from error
        return Response(answer.status, answer.reason or "", headers, Body(content))
    stream = answer.content.iter_any()
    return Response(answer.status, answer.reason or "", headers, Body(stream=stream))
