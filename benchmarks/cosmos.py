"""What the Cosmos DB endpoint costs, beside what SQLite alone does with the same items.

Three ways to the same rows: bare SQLite (the floor: a table with the endpoint's own indexes, every
commit on disk), requests over HTTP from a plain socket client, and the vendor's asynchronous SDK,
which by itself manages a few hundred calls a second.
"""

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.measurements import TIMEOUT_S, Measured
from benchmarks.reading import stored_orders
from benchmarks.system import running

_LINK = "dbs/orders/colls/processed/docs"
_LATEST = "SELECT * FROM c ORDER BY c._ts DESC OFFSET 0 LIMIT 50"
_AT_ONCE = 16
_A_COMMIT = 32
_TABLE = """
CREATE TABLE items (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, epk TEXT NOT NULL, lsn INTEGER,
                    ts INTEGER, body TEXT NOT NULL, UNIQUE (id, epk));
CREATE INDEX items_epk ON items (epk);
CREATE INDEX items_lsn ON items (lsn);
CREATE INDEX items_ts ON items (ts);
"""
_UPSERT = """
INSERT INTO items (id, epk, lsn, ts, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id, epk) DO UPDATE SET lsn = excluded.lsn, ts = excluded.ts, body = excluded.body
"""


async def cosmos(stored: int, count: int) -> Measured:
    """Upserts, point reads and the latest 50, in a container that holds so many orders.

    Args:
        count: how many calls of each kind.
    """
    items = stored_orders(stored)
    with tempfile.TemporaryDirectory() as folder:
        measured = {f"SQLite: {name}": told for name, told in _floor(Path(folder), items, count)}
        seed = Path(folder) / "seed.json"
        seed.write_text(json.dumps({"processed": items}), encoding="utf-8")
        async with running(seed=seed) as system:
            await system.wait_for_count(stored, timeout_s=TIMEOUT_S)
            port = urlsplit(system.doors.cosmos).port
            assert port is not None
            measured |= await _over_http(port, items, count)
            measured |= await _through_the_sdk(system.processed, items, count // 4)
    return measured


def _floor(
    folder: Path, items: list[dict[str, Any]], count: int
) -> list[tuple[str, tuple[float, str]]]:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(_TABLE)
    rows = [(item["id"], item["id"], at, at, json.dumps(item)) for at, item in enumerate(items)]
    connection.execute("BEGIN")
    connection.executemany(_UPSERT, rows)
    connection.execute("COMMIT")

    def upsert(some: list[tuple[Any, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_UPSERT, some)
        connection.execute("COMMIT")

    some = rows[:count]
    alone = [_timed(partial(upsert, [row])) for row in some]
    starts = range(0, len(some), _A_COMMIT)
    grouped = [_timed(partial(upsert, some[at : at + _A_COMMIT])) for at in starts]

    def rows_of(statement: str, *values: str) -> list[Any]:
        return connection.execute(statement, values).fetchall()

    reading = "SELECT body FROM items WHERE id = ? AND epk = ?"
    reads = [_timed(partial(rows_of, reading, *row[:2])) for row in some]
    listing = "SELECT body FROM items ORDER BY ts DESC LIMIT 50"
    latest = [_timed(partial(rows_of, listing)) for _ in some]
    connection.close()
    return [
        ("upserts, one a commit", (1000 * len(some) / sum(alone), "1/s")),
        (f"upserts, {_A_COMMIT} a commit", (1000 * len(some) / sum(grouped), "1/s")),
        ("point read, p50", (statistics.median(reads), "ms")),
        ("latest 50, p50", (statistics.median(latest), "ms")),
    ]


def _timed(call: Callable[[], object]) -> float:
    """What a call took, in ms."""
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


async def _over_http(port: int, items: list[dict[str, Any]], count: int) -> Measured:
    def upsert(number: int) -> bytes:
        item = items[number % len(items)]
        headers = {"x-ms-documentdb-is-upsert": "True", "Content-Type": "application/json"}
        return _request("POST", _LINK, headers, json.dumps(item), item["id"])

    def read(number: int) -> bytes:
        order_id = items[number % len(items)]["id"]
        return _request("GET", f"{_LINK}/{order_id}", {}, "", order_id)

    def latest(_: int) -> bytes:
        headers = {
            "x-ms-documentdb-isquery": "true",
            "x-ms-documentdb-query-enablecrosspartition": "True",
            "Content-Type": "application/query+json",
        }
        return _request("POST", _LINK, headers, json.dumps({"query": _LATEST}), None)

    measured: Measured = {}
    for name, make in (("upsert", upsert), ("point read", read), ("latest 50", latest)):
        await _send(port, make, 1, _AT_ONCE)
        taken, _ = await _send(port, make, 1, count)
        _, seconds = await _send(port, make, _AT_ONCE, count)
        measured[f"HTTP: {name}, p50"] = (statistics.median(taken), "ms")
        measured[f"HTTP: {name}, {_AT_ONCE} at once"] = (count / seconds, "1/s")
    return measured


def _request(verb: str, path: str, headers: dict[str, str], body: str, key: str | None) -> bytes:
    data = body.encode()
    if key is not None:
        headers = {**headers, "x-ms-documentdb-partitionkey": json.dumps([key])}
    lines = [
        f"{verb} /{path} HTTP/1.1",
        "Host: localhost",
        # The endpoint takes tokens as they come: what is measured is not the client's signing.
        "authorization: type%3Daad%26ver%3D1.0%26sig%3Dtoken",
        "x-ms-version: 2020-07-15",
        f"Content-Length: {len(data)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def _send(
    port: int, make: Callable[[int], bytes], connections: int, count: int
) -> tuple[list[float], float]:
    """Send requests over some connections; what each took in ms, and seconds for all."""
    taken: list[float] = []
    numbers = iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 23)
        for number in numbers:
            data = make(number)
            started = time.perf_counter()
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if head[9:12] not in {b"200", b"201"}:
                raise RuntimeError(head.decode())
            size = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(size))
            taken.append(1000 * (time.perf_counter() - started))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    return taken, time.perf_counter() - started


async def _through_the_sdk(container: Any, items: list[dict[str, Any]], count: int) -> Measured:
    async def upsert(number: int) -> None:
        await container.upsert_item(items[number % len(items)])

    async def read(number: int) -> None:
        order_id = items[number % len(items)]["id"]
        await container.read_item(order_id, order_id)

    async def latest(_: int) -> None:
        found = [item async for item in container.query_items(_LATEST)]
        if len(found) != 50:
            raise RuntimeError(f"{len(found)} items instead of 50")

    calls: tuple[tuple[str, Callable[[int], Awaitable[None]]], ...] = (
        ("upsert", upsert),
        ("point read", read),
        ("latest 50", latest),
    )
    measured: Measured = {}
    for name, call in calls:
        await call(0)
        taken = []
        for number in range(count):
            started = time.perf_counter()
            await call(number)
            taken.append(1000 * (time.perf_counter() - started))
        measured[f"SDK: {name}, p50"] = (statistics.median(taken), "ms")
    return measured
