"""What was acknowledged is there after a SIGKILL, what was not is there whole or not at all."""

import asyncio
import os
import random
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from tests.support.cosmos import Face, Sdk, Server
from tests.support.cosmos_process import Endpoint, endpoint_process, put_item, raw_session

ROUNDS = int(os.environ.get("COSMOS_KILL_ROUNDS", "5"))
BATCH = {"x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-atomic": "True"}
BATCH_SIZE = 5


class Load:
    """Writers that note what was acknowledged to them: the number of each item, and its LSN."""

    def __init__(self) -> None:
        self.numbers: Iterator[int] = count(1)
        self.items: dict[str, int] = {}
        self.batches: dict[str, int] = {}
        self.highest_lsn = 0

    def _note(self, etag: str) -> None:
        self.highest_lsn = max(self.highest_lsn, int(etag.strip('"').split("-")[0], 16))

    async def write_items(self, session: ClientSession, url: str, name: str) -> None:
        """New items, and one item over and over, until the server is gone."""
        while True:
            number = next(self.numbers)
            for key in (f"{name}-{number}", f"{name}-same"):
                body = {"id": key, "n": number, "pad": "x" * 300}
                try:
                    status, stored = await put_item(session, url, "things", key, body)
                except (ClientError, ConnectionError):
                    return
                assert status in (200, 201)
                self.items[key] = number
                self._note(stored["_etag"])

    async def write_batches(self, session: ClientSession, url: str, name: str) -> None:
        """Batches on one key each, until the server is gone."""
        while True:
            number = next(self.numbers)
            entries = [
                {
                    "operationType": "Upsert",
                    "resourceBody": {"id": str(place), "customer": name, "n": number},
                }
                for place in range(BATCH_SIZE)
            ]
            try:
                status, _ = await put_item(session, url, "orders", name, entries, **BATCH)
            except (ClientError, ConnectionError):
                return
            assert status == 200
            self.batches[name] = number

    async def run_until_killed(self, endpoint: Endpoint, seconds: float) -> None:
        async with raw_session() as session:
            writers = [self.write_items(session, endpoint.url, f"w{n}") for n in range(6)]
            writers += [self.write_batches(session, endpoint.url, f"b{n}") for n in range(2)]
            killer = asyncio.create_task(self._kill_later(endpoint, seconds))
            await asyncio.gather(*writers)
            await killer

    async def _kill_later(self, endpoint: Endpoint, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await endpoint.kill()


async def all_items(url: str, container: str) -> dict[tuple[str, str], dict[str, Any]]:
    async with raw_session() as session:
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            headers = {"x-ms-continuation": token} if token else {}
            docs = f"{url}/dbs/shop/colls/{container}/docs"
            async with session.get(docs, headers=headers) as answer:
                found += (await answer.json())["Documents"]
                token = answer.headers.get("x-ms-continuation")
            if token is None:
                return {(item.get("customer", item["id"]), item["id"]): item for item in found}


async def feed_lsns(url: str) -> list[int]:
    headers = {"A-IM": "Incremental Feed", "x-ms-max-item-count": "-1"}
    docs = f"{url}/dbs/shop/colls/things/docs"
    async with raw_session() as session, session.get(docs, headers=headers) as answer:
        if answer.status == 304:
            return []
        return [item["_lsn"] for item in (await answer.json())["Documents"]]


async def check(load: Load, endpoint: Endpoint) -> None:
    """Compare what the restarted server has with what was acknowledged."""
    things = await all_items(endpoint.url, "things")
    for key, number in load.items.items():
        assert things[key, key]["n"] >= number
        assert len(things[key, key]["pad"]) == 300
    orders = await all_items(endpoint.url, "orders")
    for name, number in load.batches.items():
        stored = [orders[name, str(place)]["n"] for place in range(BATCH_SIZE)]
        assert len(set(stored)) == 1, "a batch was kept by half"
        assert stored[0] >= number
    lsns = await feed_lsns(endpoint.url)
    assert lsns == sorted(set(lsns))
    async with raw_session() as session:
        _, stored_now = await put_item(session, endpoint.url, "things", "last", {"id": "last"})
    assert int(stored_now["_etag"].strip('"').split("-")[0], 16) > load.highest_lsn


def integrity(folder: Path) -> str:
    connection = sqlite3.connect(folder / "cosmos.db")
    try:
        found: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return found
    finally:
        connection.close()


async def test_everything_acknowledged_survives_kills_under_load(tmp_path: Path) -> None:
    seed = random.Random(20261120)
    load = Load()
    for _ in range(ROUNDS):
        async with endpoint_process(tmp_path) as endpoint:
            await check(load, endpoint)
            before = len(load.items)
            await load.run_until_killed(endpoint, seed.uniform(0.1, 0.6))
            assert len(load.items) > before
        assert integrity(tmp_path) == "ok"
    async with endpoint_process(tmp_path) as endpoint:
        await check(load, endpoint)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commits", [0, 1, 7])
async def test_death_at_a_commit_keeps_what_was_acknowledged(
    tmp_path: Path, moment: str, commits: int
) -> None:
    async with endpoint_process(tmp_path):
        pass  # the containers are made without a fault
    load = Load()
    die = {"point": f"cosmos.commit.{moment}", "action": "die", "after": commits}
    async with endpoint_process(tmp_path, die) as endpoint, raw_session() as session:
        await asyncio.gather(
            *[load.write_items(session, endpoint.url, f"w{n}") for n in range(4)],
            load.write_batches(session, endpoint.url, "b0"),
        )
        assert await endpoint.process.wait() != 0
    assert integrity(tmp_path) == "ok"
    async with endpoint_process(tmp_path) as endpoint:
        await check(load, endpoint)


async def test_full_disk_is_unavailable_and_harms_nothing(
    aio: Sdk, server: Server, tmp_path: Path
) -> None:
    things = aio.container("things")
    await things.do("upsert_item", {"id": "kept", "n": 1})
    storage = server.service.storage

    async def limit(pages: int) -> None:
        await storage.write(lambda c: c.execute(f"PRAGMA max_page_count={pages}").fetchone())

    server.run(limit(1))
    async with raw_session() as session:
        for number in range(20):
            item = {"id": f"i{number}", "text": "x" * 100_000}
            status, body = await put_item(session, server.url, "things", item["id"], item)
            assert status == 503
            assert "disk is full" in body["message"]
    assert (await things.do("read_item", "kept", "kept"))["n"] == 1
    server.run(limit(1_000_000))
    await things.do("upsert_item", {"id": "kept", "n": 2})
    assert (await things.do("read_item", "kept", "kept"))["n"] == 2
    assert integrity(tmp_path) == "ok"


async def test_account_is_read_while_a_long_scan_runs(aio: Sdk, server: Server) -> None:
    things = aio.container("things")
    await things.do("create_item", {"id": "a", "list": list(range(600))})
    long = "SELECT VALUE COUNT(1) FROM c JOIN x IN c.list JOIN y IN c.list WHERE x < y"
    scan = asyncio.create_task(things.query(long))
    url = f"{server.url}/"
    async with raw_session() as session:
        answered_during_scan = 0
        while not scan.done():
            async with session.get(url) as answer:
                assert answer.status == 200
            await things.do("read_item", "a", "a")
            await things.do("upsert_item", {"id": "b"})
            answered_during_scan += 1
    assert answered_during_scan > 3
    assert await scan == [179_700]


async def test_data_is_there_in_the_next_run(things: Face, server: Server, tmp_path: Path) -> None:
    await things.do("create_item", {"id": "a", "n": 1})
    read = await things.do("read_item", "a", "a")
    # A second process on the same file sees what is committed, without any clean stop of the first.
    async with endpoint_process(tmp_path) as endpoint:
        stored = await all_items(endpoint.url, "things")
    assert stored["a", "a"] == dict(read)
