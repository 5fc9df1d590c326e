"""The change feed: what changed behind a log sequence number, and waiting for the next change.

A container's changes are numbered by its writer, inside the transaction, so their order is that of
the commits and a reader sees a prefix. An item is seen at its latest change only; deletes are not
seen. A page never ends within a number, since a batch shares one.

Source: specification, section 9.
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

import asyncio
import sqlite3
from dataclasses import dataclass
from typing import Any

from emulator.cosmos.items import Row
from emulator.cosmos.model import Container
from emulator.cosmos.partition import EVERYTHING, Range


@dataclass(frozen=True)
class FeedPage:
    """Changes in their order.

    Attributes:
        items: the documents with their system properties and `_lsn`.
        last_lsn: where the next page starts; also of an empty page.
    """

    items: list[dict[str, Any]]
    last_lsn: int


@dataclass(frozen=True)
class FeedRequest:
    """Which changes are asked for: behind an LSN, of a range of keys, since a second."""

    after_lsn: int
    limit: int
    keys: Range = EVERYTHING
    since_ts: int | None = None


def read_changes(
    connection: sqlite3.Connection, container: Container, request: FeedRequest, now: int
) -> list[Row]:
    """The next changes, at most `limit`, or a few more where the last number is not finished."""
    conditions, values = ["lsn > ?"], [request.after_lsn]
    filters: list[Any] = []
    start, end = request.keys
    if start:
        conditions.append("epk >= ?")
        filters.append(start)
    if end not in ("", "FF"):
        conditions.append("epk < ?")
        filters.append(end)
    if request.since_ts is not None:
        conditions.append("ts >= ?")
        filters.append(request.since_ts)
    if container.default_ttl is not None:
        conditions.append("(exp IS NULL OR exp > ?)")
        filters.append(now)
    select = f"SELECT seq, lsn, ts, body FROM {container.table} WHERE "
    rows = connection.execute(
        f"{select}{' AND '.join(conditions)} ORDER BY lsn, seq LIMIT ?",
        [*values, *filters, request.limit],
    ).fetchall()
    if len(rows) == request.limit:
        last_seq, last_lsn = rows[-1][0], rows[-1][1]
        conditions[0] = "lsn = ? AND seq > ?"
        rows += connection.execute(
            f"{select}{' AND '.join(conditions)} ORDER BY seq", [last_lsn, last_seq, *filters]
        ).fetchall()
    return [Row(*row) for row in rows]


class Watermark:
    """The LSN of a container's last committed change, and who waits for the next."""

    def __init__(self, lsn: int) -> None:
        self.lsn = lsn
        self._waiters: list[asyncio.Future[None]] = []

    def advance(self, lsn: int) -> None:
        """Note a committed change; never goes back."""
        if lsn <= self.lsn:
            return
        self.lsn = lsn
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_above(self, lsn: int, timeout_s: float) -> bool:
        """Wait until there is a change behind an LSN; False if there is none in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.lsn <= lsn:
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    try:
                        await waiter
                    finally:
                        if waiter in self._waiters:
                            self._waiters.remove(waiter)
        except TimeoutError:
            return False
        return True
