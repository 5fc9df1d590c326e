"""What was acknowledged is there after a SIGKILL, what was not is there whole or not at all."""

import asyncio
import os
import random
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cosmos import Face, Sdk, Server, own
from tests.support.cosmos_load import Ledger, Load, lsn_of
from tests.support.cosmos_process import Endpoint, endpoint_process, put_item, raw_session

ROUNDS = int(os.environ.get("COSMOS_KILL_ROUNDS", "5"))
CHECKPOINT_ROUNDS = max(1, ROUNDS // 5)
# The checkpoint's own record in the index of the log: how many of its frames were copied into the
# file, and how many a checkpoint set out to copy (SQLite's file format, "The WAL-Index Header").
_COPIED_AT, _ATTEMPTED_AT = 96, 128


@dataclass(frozen=True)
class Feed:
    """A container's change feed, read to its end."""

    items: list[dict[str, Any]]
    token: str

    @property
    def lsns(self) -> list[int]:
        return [item["_lsn"] for item in self.items]


async def read_feed(url: str, container: str, token: str | None = None) -> Feed:
    headers = {"A-IM": "Incremental Feed", "x-ms-max-item-count": "-1"}
    items: list[dict[str, Any]] = []
    docs = f"{url}/dbs/shop/colls/{container}/docs"
    async with raw_session() as session:
        while True:
            known = {"If-None-Match": token} if token is not None else {}
            async with session.get(docs, headers={**headers, **known}) as answer:
                token = answer.headers["etag"]
                if answer.status == 304:
                    return Feed(items, token)
                items += (await answer.json())["Documents"]


class Checked:
    """Compares each restart with what was acknowledged before, and with the restart before it."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._tokens: dict[str, str] = {}

    async def check(self, url: str) -> None:
        for container, ledger in (("things", self._load.things), ("orders", self._load.orders)):
            await self._check(url, container, ledger)

    async def _check(self, url: str, container: str, ledger: Ledger) -> None:
        feed = await read_feed(url, container)
        by_key = {(item.get("customer", item["id"]), item["id"]): item for item in feed.items}
        last = by_key.pop(("last", "last"), None)
        ledger.settle({key: own_of_feed(item) for key, item in by_key.items()})
        assert feed.lsns == sorted(feed.lsns)
        if container == "things":
            assert len(set(feed.lsns)) == len(feed.lsns)
        # A token from before the kill goes on exactly behind what it had seen.
        if (token := self._tokens.get(container)) is not None:
            assert last is not None
            later = [item for item in feed.items if item["_lsn"] > last["_lsn"]]
            assert (await read_feed(url, container, token)).items == later
        async with raw_session() as session:
            body = {"id": "last", "customer": "last"}
            _, stored = await put_item(session, url, container, "last", body)
        assert lsn_of(stored["_etag"]) > max(ledger.highest_lsn, *feed.lsns, 0)
        self._tokens[container] = (await read_feed(url, container)).token


def own_of_feed(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own(item).items() if name != "_lsn"}


def integrity(folder: Path) -> str:
    connection = sqlite3.connect(folder / "cosmos.db")
    try:
        found: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return found
    finally:
        connection.close()


async def kill_after(endpoint: Endpoint, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await endpoint.kill()


async def test_everything_acknowledged_survives_kills_under_load(tmp_path: Path) -> None:
    seed = random.Random(20261120)
    load = Load(seed=20261127)
    checked = Checked(load)
    for _ in range(ROUNDS):
        async with endpoint_process(tmp_path) as endpoint:
            await checked.check(endpoint.url)
            assert integrity(tmp_path) == "ok"
            before = load.things.answers, load.orders.answers
            killer = asyncio.create_task(kill_after(endpoint, seed.uniform(0.1, 0.6)))
            await load.run_until_gone(endpoint)
            await killer
            assert load.things.answers > before[0]
            assert load.orders.answers > before[1]
    async with endpoint_process(tmp_path) as endpoint:
        await checked.check(endpoint.url)
    assert integrity(tmp_path) == "ok"


def is_within_checkpoint(folder: Path) -> bool:
    """Whether the last process died while it copied the log into the file."""
    index = (folder / "cosmos.db-shm").read_bytes()
    copied, attempted = (
        int.from_bytes(index[at : at + 4], "little") for at in (_COPIED_AT, _ATTEMPTED_AT)
    )
    return attempted > copied


def kill_at_checkpoint(endpoint: Endpoint, folder: Path) -> None:
    """SIGKILL when the file itself is written, which nothing but a checkpoint does."""
    file = folder / "cosmos.db"
    before = file.stat().st_mtime_ns
    deadline = time.monotonic() + 30
    while file.stat().st_mtime_ns == before:
        assert time.monotonic() < deadline, "there was no checkpoint"
    endpoint.process.kill()


async def test_kill_within_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    load = Load(seed=20261128)
    checked = Checked(load)
    hits = 0
    for _ in range(20 * CHECKPOINT_ROUNDS):
        # Many pages, so that copying them takes a while.
        async with endpoint_process(tmp_path, checkpoint_pages=500) as endpoint:
            await checked.check(endpoint.url)
            assert integrity(tmp_path) == "ok"
            killer = asyncio.create_task(asyncio.to_thread(kill_at_checkpoint, endpoint, tmp_path))
            await load.run_until_gone(endpoint)
            await killer
            await endpoint.kill()
        hits += is_within_checkpoint(tmp_path)
        if hits == CHECKPOINT_ROUNDS:
            break
    assert hits == CHECKPOINT_ROUNDS
    async with endpoint_process(tmp_path) as endpoint:
        await checked.check(endpoint.url)
    assert integrity(tmp_path) == "ok"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commits", [0, 1, 7])
async def test_death_at_a_commit_keeps_what_was_acknowledged(
    tmp_path: Path, moment: str, commits: int
) -> None:
    async with endpoint_process(tmp_path):
        pass  # the containers are made without a fault
    load = Load(seed=commits)
    die = {"point": f"cosmos.commit.{moment}", "action": "die", "after": commits}
    async with endpoint_process(tmp_path, die) as endpoint:
        await load.run_until_gone(endpoint)
        assert await endpoint.process.wait() != 0
    async with endpoint_process(tmp_path) as endpoint:
        await Checked(load).check(endpoint.url)
    assert integrity(tmp_path) == "ok"


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
        [stored] = (await read_feed(endpoint.url, "things")).items
    assert stored == {**read, "_lsn": 1}
