"""A load of all kinds of writes that knows, after a kill, what must be there and what may be.

Each writer owns its items and has one request under way at a time. So of every item there are at
most two states that a restarted server may show: the one that was acknowledged last, and the one
that was asked for and never answered.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from aiohttp import ClientError, ClientSession

from tests.support.cosmos_process import Endpoint, raw_session

# An item without its system properties, or None where there is none.
State = dict[str, Any] | None

_ITEMS_EACH = 3
_BATCH = {"x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-atomic": "True"}
_GONE = (ClientError, ConnectionError)


class Ledger:
    """What the items of a container may be: `(partition key, id)` to states."""

    def __init__(self) -> None:
        self.acknowledged: dict[tuple[str, str], State] = {}
        # What one request asked for that has no answer: all of it, or nothing.
        self.asked: list[dict[tuple[str, str], State]] = []
        self.highest_lsn = 0
        self.answers = 0

    def keep(self, change: dict[tuple[str, str], State], etag: str | None) -> None:
        """Note a change that was acknowledged."""
        self.acknowledged.update(change)
        self.asked.remove(change)
        self.answers += 1
        if etag:
            self.highest_lsn = max(self.highest_lsn, lsn_of(etag))

    def settle(self, found: Mapping[tuple[str, str], dict[str, Any]]) -> None:
        """Compare with what a restarted server has, which is the truth from then on.

        Raises:
            AssertionError: something that was acknowledged is lost, or a change is there by half.
        """
        for change in self.asked:
            kept = {key: found.get(key) for key in change}
            before = {key: self.acknowledged.get(key) for key in change}
            assert kept in (change, before), f"by half: {kept}, asked {change}, before {before}"
            self.acknowledged.update(kept)
        self.asked.clear()
        expected = {key: state for key, state in self.acknowledged.items() if state is not None}
        assert found == expected


def lsn_of(etag: str) -> int:
    """The log sequence number in an item's etag."""
    return int(etag.strip('"').split("-")[0], 16)


class Load:
    """Writers on the containers `things` (single items) and `orders` (batches)."""

    def __init__(self, seed: int) -> None:
        self.things = Ledger()
        self.orders = Ledger()
        self._seeds = random.Random(seed)
        self._numbers: Iterator[int] = count(1)

    async def run_until_gone(self, endpoint: Endpoint) -> None:
        """Write until the server does not answer any more."""
        async with raw_session() as session:
            await asyncio.gather(
                *(self._write_items(session, endpoint.url, f"w{n}") for n in range(6)),
                *(self._write_batches(session, endpoint.url, f"b{n}") for n in range(2)),
            )

    async def _write_items(self, session: ClientSession, url: str, name: str) -> None:
        pick = random.Random(self._seeds.random())
        docs = f"{url}/dbs/shop/colls/things/docs"
        while True:
            key = f"{name}-{pick.randrange(_ITEMS_EACH)}"
            state = self.things.acknowledged.get((key, key))
            kinds = ["create", "upsert"] if state is None else ["upsert", "replace", "patch"]
            kind = pick.choice(kinds if state is None or pick.random() > 0.2 else ["delete"])
            after = self._after(kind, key, state)
            change = {(key, key): after}
            self.things.asked.append(change)
            method, address, body, more = _request(kind, key, after)
            headers = {"x-ms-documentdb-partitionkey": json.dumps([key]), **more}
            try:
                async with session.request(
                    method, docs + address, json=body, headers=headers
                ) as answer:
                    assert answer.status in (200, 201, 204), await answer.text()
                    self.things.keep(change, answer.headers.get("etag"))
            except _GONE:
                return

    def _after(self, kind: str, key: str, state: State) -> State:
        if kind == "delete":
            return None
        if kind == "patch" and state is not None:
            return {**state, "n": next(self._numbers), "patched": state.get("patched", 0) + 1}
        return {"id": key, "n": next(self._numbers), "pad": "x" * 300}

    async def _write_batches(self, session: ClientSession, url: str, name: str) -> None:
        """Batches of every kind of operation on one partition."""
        docs = f"{url}/dbs/shop/colls/orders/docs"
        headers = {"x-ms-documentdb-partitionkey": json.dumps([name]), **_BATCH}
        while True:
            change: dict[tuple[str, str], State] = {}
            entries = [self._entry(name, place, change) for place in range(5)]
            self.orders.asked.append(change)
            try:
                async with session.post(docs, json=entries, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
                    etags = [entry.get("eTag") for entry in await answer.json()]
                    assert len({lsn_of(etag) for etag in etags if etag}) == 1
                    self.orders.keep(change, next(filter(None, etags)))
            except _GONE:
                return

    def _entry(self, name: str, place: int, change: dict[tuple[str, str], State]) -> dict[str, Any]:
        """One operation of a batch: what is there is replaced, patched or deleted, else created."""
        identity = str(place)
        state = self.orders.acknowledged.get((name, identity))
        number = next(self._numbers)
        after: State = {"id": identity, "customer": name, "n": number}
        if place == 0:
            entry: dict[str, Any] = {"operationType": "Upsert", "resourceBody": after}
        elif state is None:
            entry = {"operationType": "Create", "resourceBody": after}
        elif place == 1:
            after = {**state, "n": number}
            operations = [{"op": "set", "path": "/n", "value": number}]
            entry = {
                "operationType": "Patch",
                "id": identity,
                "resourceBody": {"operations": operations},
            }
        elif place == 2:
            after = None
            entry = {"operationType": "Delete", "id": identity}
        else:
            entry = {"operationType": "Replace", "id": identity, "resourceBody": after}
        change[name, identity] = after
        return entry


def _request(kind: str, key: str, after: State) -> tuple[str, str, Any, dict[str, str]]:
    """Method, address behind the items' own, body and headers of a write."""
    if kind == "delete":
        return "DELETE", f"/{key}", None, {}
    if kind == "replace":
        return "PUT", f"/{key}", after, {}
    if kind == "patch":
        assert after is not None
        operations = [
            {"op": "set", "path": "/n", "value": after["n"]},
            {"op": "incr", "path": "/patched", "value": 1},
        ]
        return "PATCH", f"/{key}", {"operations": operations}, {}
    upsert = {"x-ms-documentdb-is-upsert": "True"} if kind == "upsert" else {}
    return "POST", "", after, upsert
