"""A bulk replay of many failed orders, with the host killed in the midst of it, again and again.

Half of the orders come one by one and half in a batch, whose members are created in the same
instant. 200 orders, or 1,000 where the environment says `ORDERS_CHAOS_FULL=1`.
"""

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import Emulator, connected, until
from tests.support.orders import an_order
from tests.support.pipeline import instances, items, pipeline, store, submit

_ORDERS = 1000 if os.environ.get("ORDERS_CHAOS_FULL") == "1" else 200
_SEED = 20261120
_PATIENCE_S = 120
_REFUSED = {
    "point": "activity.before",
    "action": "fail",
    "match": {"function": "persist_order"},
    "message": "[STORE_REFUSED] injected",
    "times": None,
}


def kill_moments(count: int) -> list[int]:
    """The numbers of processed orders after which the host is killed: at the very start too."""
    chance = random.Random(_SEED)
    early = chance.randrange(count // 20, count * 2 // 5)
    late = chance.randrange(count * 9 // 20, count * 9 // 10)
    return [0, early, late]


async def processed(emulator: Emulator) -> int:
    async with store(emulator, "processed") as container:
        counted: Any = container.query_items("SELECT VALUE COUNT(1) FROM c")
        return sum([int(n) async for n in counted])


async def by_state(emulator: Emulator) -> Counter[str]:
    return Counter(each["runtimeStatus"] for each in await instances(emulator))


async def fail_all(emulator: Emulator, ids: list[str]) -> None:
    """Every order has been tried once, and has failed."""
    assert (await emulator.post("/emulator/faults", json=_REFUSED)).status in (200, 201)
    half = len(ids) // 2
    batch = {"batchId": "bulk", "orders": [an_order(id=each) for each in ids[half:]]}
    assert (await submit(emulator, batch)).status == 202
    await asyncio.gather(
        *(emulator.send("orders", json.dumps(an_order(id=each))) for each in ids[:half])
    )

    async def failed() -> bool:
        states = await by_state(emulator)
        return states["Failed"] == len(ids) and set(states) == {"Failed", "Completed"}

    await until(failed, "every order has failed", _PATIENCE_S)
    assert await processed(emulator) == 0
    assert (await emulator.ask("DELETE", "/emulator/faults")).status in (200, 204)


async def replay_all(emulator: Emulator, count: int) -> str:
    """A bulk replay has been taken; the path of its status."""
    selection = {"reason": "the store is back", "perSecond": 100}
    plan = await emulator.post("/api/orders/replay", json={**selection, "dryRun": True})
    assert plan.json()["total"] == count
    answer = await emulator.post("/api/orders/replay", json=selection)
    assert (answer.status, answer.json()["total"]) == (202, count)
    return answer.headers["Location"]


async def check_every_order_once(emulator: Emulator, ids: list[str], bulk: str) -> None:
    """Every order is processed by its second attempt, and nothing is left over."""

    async def settled() -> bool:
        counts = await emulator.counts("orders")
        states = await by_state(emulator)
        return set(states) == {"Completed"} and not counts["active"] and not counts["locked"]

    await until(settled, "nothing is left to do", _PATIENCE_S)
    found = await items(emulator, "processed")
    assert Counter(item["id"] for item in found) == Counter(ids)
    assert {(item["status"], item["attempt"]) for item in found} == {("processed", 2)}
    told: dict[str, Any] = (await emulator.get(bulk)).json()
    assert (told["state"], told["queued"]) == ("completed", len(ids))
    # A step that was cut off is run again, and its event with it: under the same id.
    subjects = {event["id"]: event["subject"] for event in await emulator.events()}
    assert len(subjects) == len(set(subjects.values())) == len(ids)
    assert (await emulator.counts("orders"))["dead_letter"] == 0


@pytest.mark.timeout(600)
async def test_bulk_replay_survives_kills(tmp_path: Path) -> None:
    ids = [f"BULK-{number:04}" for number in range(_ORDERS)]
    moments = kill_moments(_ORDERS)
    print(f"seed {_SEED}: {_ORDERS} orders, killed when {moments} are processed")  # noqa: T201 - for who repeats it
    process = pipeline(tmp_path)
    doors = await asyncio.to_thread(process.start)
    try:
        async with connected(process, doors) as emulator:
            await fail_all(emulator, ids)
            bulk = await replay_all(emulator, len(ids))
        for moment in moments:
            async with connected(process, doors) as emulator:

                async def reached(emulator: Emulator = emulator, moment: int = moment) -> bool:
                    return await processed(emulator) >= moment

                await until(reached, f"{moment} are processed", _PATIENCE_S)
            await asyncio.to_thread(process.kill)
            doors = await asyncio.to_thread(process.start)
        async with connected(process, doors) as emulator:
            await check_every_order_once(emulator, ids, bulk)
    finally:
        code = await asyncio.to_thread(process.stop)
    assert code == 0
