"""How fast the Cosmos DB endpoint is: requests over HTTP from this process to one of its own.

Run as `python -m tests.support.cosmos_bench [ITEMS]`. The load comes from a plain socket client,
because the SDK itself manages a few hundred calls a second only. Every write is on disk before it
is answered.
"""

import asyncio
import base64
import hmac
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from emulator.cosmos import EMULATOR_KEY
from tests.support.cosmos_process import endpoint_process

LINK = "dbs/shop/colls/things"
Request = Callable[[int], bytes]


def _authorization(verb: str, link: str, date: str) -> str:
    text = f"{verb.lower()}\ndocs\n{link}\n{date.lower()}\n\n"
    digest = hmac.digest(base64.b64decode(EMULATOR_KEY), text.encode(), "sha256")
    return quote(f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}", safe="")


def _request(verb: str, path: str, link: str, headers: dict[str, str], body: Any = None) -> bytes:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    data = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{verb} /{path} HTTP/1.1",
        "Host: localhost",
        f"authorization: {_authorization(verb, link, date)}",
        f"x-ms-date: {date}",
        "x-ms-version: 2020-07-15",
        "x-ms-activity-id: 00000000-0000-0000-0000-000000000000",
        "User-Agent: azsdk-python-cosmos/4.17.1",
        f"Content-Length: {len(data)}",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def upsert(number: int) -> bytes:
    """An item of about 0.75 KB."""
    item = {
        "id": f"ORD-{number}",
        "status": "rejected" if number % 10 == 0 else "processed",
        "customerId": f"C-{number % 100}",
        "n": number,
        "total": number * 1.5,
        "pad": "x" * 560,
    }
    headers = {
        "x-ms-documentdb-is-upsert": "True",
        "x-ms-documentdb-partitionkey": f'["ORD-{number}"]',
        "Content-Type": "application/json",
    }
    return _request("POST", f"{LINK}/docs/", LINK, headers, item)


def read(number: int) -> bytes:
    """A point read."""
    link = f"{LINK}/docs/ORD-{number}"
    headers = {"x-ms-documentdb-partitionkey": f'["ORD-{number}"]'}
    return _request("GET", link, link, headers)


def query(text: str) -> Request:
    """A query over all partitions."""
    headers = {
        "x-ms-documentdb-isquery": "true",
        "x-ms-documentdb-query-enablecrosspartition": "True",
        "Content-Type": "application/query+json",
    }
    return lambda _: _request("POST", f"{LINK}/docs/", LINK, headers, {"query": text})


async def run(url: str, name: str, make: Request, connections: int, count: int) -> None:
    """Send requests over some connections and print the rate and the latencies."""
    numbers: Iterator[int] = iter(range(count))
    latencies: list[float] = []
    address = urlsplit(url)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port, limit=1 << 23)
        for number in numbers:
            data = make(number)
            started = time.perf_counter()
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if head[9:12] not in (b"200", b"201"):
                raise RuntimeError(head.decode())
            size = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(size))
            latencies.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(connections)])
    rate = count / (time.perf_counter() - started)
    latencies.sort()
    p50, p99 = latencies[count // 2] * 1e3, latencies[int(count * 0.99)] * 1e3
    print(  # noqa: T201 - the table is the purpose
        f"{name:34} {connections:3} connections {rate:8.0f}/s   p50 {p50:7.2f} ms   "
        f"p99 {p99:7.2f} ms",
        flush=True,
    )


LATEST = "SELECT * FROM c ORDER BY c._ts DESC OFFSET 0 LIMIT 50"
FILTERED = "SELECT * FROM c WHERE c.status='rejected' ORDER BY c._ts DESC OFFSET 0 LIMIT 50"


async def main(items: int) -> None:
    """The whole table."""
    with tempfile.TemporaryDirectory() as folder:
        async with endpoint_process(Path(folder), checkpoint_pages=2000) as endpoint:
            url = endpoint.url
            await run(url, "upsert, filling", upsert, 64, items)
            for connections in (1, 8, 16, 64):
                await run(url, "upsert", upsert, connections, min(items, 5000))
            for connections in (1, 16):
                await run(url, "point read", read, connections, min(items, 5000))
            for connections in (1, 8):
                await run(url, "latest 50", query(LATEST), connections, 1000)
            await run(url, "latest 50 of a status", query(FILTERED), 1, 500)
            counted = query("SELECT VALUE COUNT(1) FROM c WHERE c.n > 50")
            await run(url, "count with a filter", counted, 1, 10)
            grouped = query("SELECT c.status, COUNT(1) AS n FROM c GROUP BY c.status")
            await run(url, "group by, count", grouped, 1, 5)
            rare = query("SELECT * FROM c WHERE c.customerId = 'C-7' AND c.n = 7")
            await run(url, "rare equality", rare, 1, 10)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
