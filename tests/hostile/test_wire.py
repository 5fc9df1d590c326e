"""Bytes that are hardly HTTP, at the host and at the gateway: no hang, no trace of them in an
answer, no memory kept, and others are served meanwhile. What two servers in a row could read in two
ways is tests/integration/apim/test_abuse.py.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest

from tests.support.hostile import Target, target
from tests.support.orders import an_order

DOORS = ("host", "gateway")
# No request here should take a tenth of it.
_PATIENCE_S = 20.0
_OPEN = 200


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("wire")) as found:
        yield found


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def connect(running: Target, door: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(running.base(door))
    return await asyncio.open_connection(url.hostname, url.port)


async def answered(running: Target, door: str, data: bytes, *, is_whole: bool = True) -> bytes:
    """All that comes back until the server closes; what is not whole is broken off after it."""
    reader, writer = await connect(running, door)
    try:
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            if not is_whole:
                writer.write_eof()
        async with asyncio.timeout(_PATIENCE_S):
            return await _all_of(reader)
    finally:
        writer.close()


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    found = b""
    # A server that has said what it had to say may reset the rest.
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            found += piece
    return found


def head(running: Target, door: str, start: str, *lines: str) -> bytes:
    """A request's head, with what the door asks for."""
    path = urlsplit(running.base(door)).path
    told = [f"{name}: {value}" for name, value in running.headers(door).items()]
    start = start.replace(" /", f" {path}/", 1)
    return "\r\n".join([start, "Host: 127.0.0.1", *told, *lines, "", ""]).encode("latin-1")


def statuses(answer: bytes) -> list[int]:
    """The status of each answer in a row."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


NO_REQUESTS = {
    "noise": b"\x00\xff\x80EVIL" * 100,
    "TLS": bytes.fromhex("16030100a5010000a10303") + b"EVIL" * 40,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nEVIL",
    "an empty line for ever": b"\r\n" * 5000 + b"EVIL",
    "no version": b"GET /EVIL\r\n\r\n",
    "a method that is none": b"<EVIL> / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a long line": b"GET /" + b"EVIL" * 10_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"EVIL" * 50_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: EVIL\r\n" * 500 + b"\r\n",
    "a header with a NUL": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: EV\x00IL\r\n\r\n",
    "a header with a bare newline": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\rEVIL\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_REQUESTS)
async def test_what_is_no_request_is_refused_and_not_repeated(
    running: Target, door: str, name: str
) -> None:
    answer = await answered(running, door, NO_REQUESTS[name], is_whole=False)
    # Where the connection was closed without a word, there is nothing to look at.
    assert all(400 <= status < 500 for status in statuses(answer)), answer[:200]
    assert b"EVIL" not in answer
    assert b"bytearray" not in answer


@pytest.mark.parametrize(
    ("name", "status"), [("a long line", 414), ("a long header", 431), ("many headers", 431)]
)
async def test_what_is_too_long_is_told_apart(
    running: Target, door: str, name: str, status: int
) -> None:
    assert statuses(await answered(running, door, NO_REQUESTS[name])) == [status]


async def test_a_body_that_breaks_off_starts_nothing(running: Target, door: str) -> None:
    order = b'{"id": "BROKEN"}'
    kind = "Content-Type: application/json"
    for lines, body in (
        (("Content-Length: 1000",), order),
        (("Transfer-Encoding: chunked",), b"10\r\n" + order),
        (("Transfer-Encoding: chunked",), b"10\r\n" + order + b"\r\nzz\r\n"),
        (("Transfer-Encoding: chunked",), b"ffffffffffffffffff\r\n" + order),
    ):
        data = head(running, door, "POST /orders HTTP/1.1", kind, *lines) + body
        answer = await answered(running, door, data, is_whole=False)
        assert not any(status < 400 for status in statuses(answer)), (lines, answer)
    async with (
        aiohttp.ClientSession(headers=running.headers(door)) as http,
        http.get(f"{running.base(door)}/orders/BROKEN/status") as found,
    ):
        assert found.status == 404


async def test_requests_in_a_row_are_answered_in_a_row(running: Target, door: str) -> None:
    one = head(running, door, "GET /orders/NOBODY HTTP/1.1")
    last = head(running, door, "GET /health HTTP/1.1", "Connection: close")
    if door == "gateway":
        last = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert statuses(await answered(running, door, one * 50 + last)) == [404] * 50 + [200]


async def test_the_old_version_is_answered_and_closed(running: Target, door: str) -> None:
    start = "GET /orders HTTP/1.0"
    assert statuses(await answered(running, door, head(running, door, start))) == [200]


async def test_whoever_sends_slowly_keeps_nobody_waiting(running: Target, door: str) -> None:
    heads = [b"GET / HT", b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"]
    slow = [await connect(running, door) for _ in range(_OPEN)]
    try:
        for number, (_, writer) in enumerate(slow):
            writer.write(heads[number % 2])
        async with (
            aiohttp.ClientSession(headers=running.headers(door)) as http,
            asyncio.timeout(_PATIENCE_S),
        ):
            name = f"SWIFT-{door}"
            async with http.post(f"{running.base(door)}/orders", json=an_order(id=name)) as found:
                running.remember(found.status, await found.json())
                assert found.status == 202
    finally:
        for _, writer in slow:
            writer.close()


async def test_memory_does_not_grow_with_what_is_refused(running: Target, noisy: "Noise") -> None:
    # The first round loads code and widens buffers.
    await noisy.round()
    before = running.resident_mb()
    await noisy.round()
    await noisy.round()
    grown = running.resident_mb() - before
    assert grown < 25, f"{grown:.0f} MB more"


class Noise:
    """A thousand requests that are refused, large ones and packed ones among them."""

    def __init__(self, running: Target, http: aiohttp.ClientSession) -> None:
        self._url = running.base("host")
        self._http = http

    async def round(self) -> None:
        """Send them, some at a time."""
        large = [
            (b'{"id": "' + b"A" * 300_000 + b'"}', {}, 400),
            (b"[" + b"1," * 20_000 + b"1]", {}, 400),
        ]
        small = [
            (b"[" * 20_000, {}, 400),
            (b'{"id": "A", "x": ' + b"9" * 20_000 + b"}", {}, 400),
            (b"\x1f\x8b" + b"\x00" * 1000, {"Content-Encoding": "gzip"}, 415),
            (b"a=b", {"Content-Type": "text/" + "x" * 3000}, 415),
        ]
        for _ in range(20):
            await asyncio.gather(
                *(self._post(*body) for body in [*large, *small * 6]),
                *(self._get(number) for number in range(24)),
            )

    async def _post(self, data: bytes, headers: dict[str, str], status: int) -> None:
        told = {"Content-Type": "application/json", **headers}
        async with self._http.post(f"{self._url}/orders", data=data, headers=told) as answer:
            await answer.read()
            assert answer.status == status

    async def _get(self, number: int) -> None:
        async with self._http.get(f"{self._url}/orders/{'x' * 3000}-{number}") as answer:
            await answer.read()
            assert answer.status == 404


@pytest.fixture
async def noisy(running: Target) -> AsyncIterator[Noise]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as http:
        yield Noise(running, http)


def test_what_was_acknowledged_is_there(running: Target) -> None:
    answer = httpx.post(f"{running.base('host')}/orders", json=an_order(id="LAST"))
    running.remember(answer.status_code, answer.json())
    assert running.lost() == {}
