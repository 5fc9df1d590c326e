"""Messages as hostile days bring them: repeated, out of order, late, unlocked, poisoned.

Judged by what must be true of any such day: each order is processed once, by one of its contents;
every message came to an end; each effect has one key.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from domain.order import digest
from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, connected, until
from tests.support.orders import a_line, an_order
from tests.support.pipeline import final_status, instances, items, store

_SEED = 20261127
_DEAD = "orders/$deadletterqueue"


@pytest.fixture
async def emulator(process: tuple[EmulatorProcess, Doors]) -> AsyncIterator[Emulator]:
    async with connected(*process) as client:
        yield client
        await client.ask("DELETE", "/emulator/faults")


async def settled(emulator: Emulator) -> None:
    """Every message has come to an end, and every run."""

    async def is_settled() -> bool:
        counts = await emulator.counts("orders")
        busy = [n for name, n in counts.items() if name != "dead_letter" and n]
        states = {each["runtimeStatus"] for each in await instances(emulator)}
        return not busy and states <= {"Completed", "Failed"}

    await until(is_settled, "nothing is left to do")


async def ended(emulator: Emulator, order_id: str) -> dict[str, Any]:
    """The status of an order that came by the queue; it is unknown until its message is read."""

    async def is_known() -> bool:
        return (await emulator.get(f"/api/orders/{order_id}/status")).status != 404

    await until(is_known, f"{order_id} is known")
    return await final_status(emulator, order_id)


async def passed(emulator: Emulator, point: str, least: int = 0) -> int:
    """How often a fault point was passed; 0 if less than `least` times."""
    found: int = (await emulator.get("/emulator/faults")).json()["passed"].get(point, 0)
    return found if found >= least else 0


async def processed(emulator: Emulator, prefix: str) -> dict[str, dict[str, Any]]:
    """The stored orders whose ids begin so; one under each id."""
    found = [item for item in await items(emulator, "processed") if item["id"].startswith(prefix)]
    assert len(found) == len({item["id"] for item in found})
    return {item["id"]: item for item in found}


async def keys(emulator: Emulator, prefix: str) -> Counter[str]:
    """How often each event of these orders was published."""
    found = [event["id"] for event in await emulator.events()]
    return Counter(each for each in found if each.startswith(prefix))


async def test_repeated_and_shuffled_messages_of_contradicting_orders(emulator: Emulator) -> None:
    chance = random.Random(_SEED)
    variants = {
        f"MIX-{number}": [an_order(id=f"MIX-{number}", lines=[a_line(quantity=n)]) for n in (1, 2)]
        for number in range(8)
    }
    sent = [json.dumps(order) for both in variants.values() for order in both for _ in range(3)]
    chance.shuffle(sent)
    for rule in ("servicebus.send", "servicebus.deliver"):
        doubled = {"point": rule, "action": "duplicate", "after": 5, "times": 4}
        await emulator.post("/emulator/faults", json=doubled)
    await asyncio.gather(*(emulator.send("orders", body) for body in sent))
    await settled(emulator)
    found = await processed(emulator, "MIX-")
    assert found.keys() == variants.keys()
    dead = [json.loads(message["body"]) for message in await emulator.peek(_DEAD)]
    for order_id, both in variants.items():
        won = found[order_id]["digest"]
        assert won in {digest(order) for order in both}
        # Only what contradicts the one that was first is refused, and all of that.
        refused = [digest(each) for each in dead if each.get("id") == order_id]
        assert won not in refused
        assert len(refused) >= 3
    assert {item["attempt"] for item in found.values()} == {1}
    assert set(await keys(emulator, "MIX-")) == {
        f"{order_id}:{item['digest']}:processed" for order_id, item in found.items()
    }


async def test_a_late_message_of_an_order_that_is_done_changes_nothing(emulator: Emulator) -> None:
    order = an_order(id="LATE-1")
    at = datetime.now(UTC) + timedelta(hours=6)
    properties = {"ScheduledEnqueueTimeUtc": format_datetime(at, usegmt=True)}
    await emulator.send("orders", json.dumps(order), properties)
    await emulator.send("orders", json.dumps(order))
    await ended(emulator, "LATE-1")
    before = (await processed(emulator, "LATE-1"))["LATE-1"]
    assert (await emulator.counts("orders"))["scheduled"] == 1
    stepped = await emulator.post("/emulator/clock", json={"advanceSeconds": 7 * 3600})
    assert stepped.json()["offsetSeconds"] == 7 * 3600
    await settled(emulator)
    assert (await processed(emulator, "LATE-1"))["LATE-1"]["_etag"] == before["_etag"]
    assert (await keys(emulator, "LATE-1")).total() == 1
    await emulator.post("/emulator/clock", json={"advanceSeconds": -7 * 3600})


async def test_a_lock_that_is_lost_in_mid_step_starts_nothing_twice(emulator: Emulator) -> None:
    # The message is delivered to a second receiver while the first still works on it.
    lost = {"point": "servicebus.deliver", "action": "duplicate"}
    await emulator.post("/emulator/faults", json=lost)
    await emulator.send("orders", json.dumps(an_order(id="LOCK-1")), {"MessageId": "lock-1"})
    await settled(emulator)
    assert (await ended(emulator, "LOCK-1"))["attempt"] == 1
    assert (await keys(emulator, "LOCK-1")).total() == 1
    assert "lock-1" not in json.dumps(await emulator.peek(_DEAD))
    await emulator.logged("MessageLockLost")


async def test_a_lock_that_runs_out_on_a_stepped_clock_loses_no_message(emulator: Emulator) -> None:
    # Held back on its way to the function, while its lock runs out.
    delivered = await passed(emulator, "servicebus.deliver")
    hold = {"point": "servicebus.deliver", "action": "delay", "seconds": 0.5}
    await emulator.post("/emulator/faults", json=hold)
    await emulator.send("orders", json.dumps(an_order(id="LOCK-2")))
    await until(lambda: passed(emulator, "servicebus.deliver", delivered + 1), "it is delivered")
    for seconds in (120, -240, 120):
        await emulator.post("/emulator/clock", json={"advanceSeconds": seconds})
    await settled(emulator)
    assert await passed(emulator, "servicebus.deliver") >= delivered + 2
    assert (await ended(emulator, "LOCK-2"))["attempt"] == 1
    assert (await keys(emulator, "LOCK-2")).total() == 1


async def test_a_message_that_comes_again_after_its_order_failed_does_not_try_it_again(
    emulator: Emulator,
) -> None:
    hold = {"point": "servicebus.deliver", "action": "delay", "seconds": 0.3}
    refuse = {
        "point": "activity.before",
        "action": "fail",
        "match": {"instance": "AGAIN-1", "function": "persist_order"},
        "message": "[STORE_REFUSED] injected",
        "times": None,
    }
    await emulator.post("/emulator/faults", json=[hold, refuse])
    await emulator.send("orders", json.dumps(an_order(id="AGAIN-1")))
    # Nothing that the broker is told of this message is kept: neither delivery nor completion.
    deaf = {"point": "servicebus.commit.before", "action": "fail", "times": None}
    await emulator.post("/emulator/faults", json=deaf)
    assert (await ended(emulator, "AGAIN-1"))["state"] == "failed"
    delivered = await passed(emulator, "servicebus.deliver")
    await emulator.ask("DELETE", "/emulator/faults?point=servicebus.commit.before")
    await emulator.post("/emulator/clock", json={"advanceSeconds": 120})
    await settled(emulator)
    await emulator.post("/emulator/clock", json={"advanceSeconds": -120})
    assert await passed(emulator, "servicebus.deliver") > delivered
    status = await final_status(emulator, "AGAIN-1")
    assert (status["state"], status["attempt"]) == ("failed", 1)


POISON: list[dict[str, Any]] = [
    {"id": "poison-1", "orders": "not a list"},
    {"id": "poison 2 with blanks"},
    {"id": "poison-3", "orders": []},
    # This one has a usable id, so it becomes an order, which is refused.
    {"id": "POISON-4", "lines": [[[[[["deep"]]]]]], "customerId": "\ud800", "currency": 1e300},
]


async def test_poison_in_the_midst_of_a_feed_batch_ends_apart_from_the_others(
    emulator: Emulator,
) -> None:
    # While the first batch cannot be sent, the others gather to one.
    held = {"point": "servicebus.send", "action": "delay", "seconds": 1.5}
    await emulator.post("/emulator/faults", json=held)
    good = [an_order(id=f"FEED-{number}") for number in range(4)]
    dead = (await emulator.counts("orders"))["dead_letter"]
    async with store(emulator, "toprocess") as container:
        await container.upsert_item(an_order(id="FEED-FIRST"))
        for order, poison in zip(good, POISON, strict=True):
            await container.upsert_item(order)
            await container.upsert_item(poison)
        await container.upsert_item(an_order(id="FEED-LAST"))
    for order in (*good, {"id": "FEED-LAST"}):
        assert (await ended(emulator, order["id"]))["state"] == "processed"
    await settled(emulator)
    stored = await processed(emulator, "FEED-")
    assert stored.keys() == {*(order["id"] for order in good), "FEED-FIRST", "FEED-LAST"}
    times = {item["source"]["enqueuedAt"] for key, item in stored.items() if key != "FEED-FIRST"}
    assert len(times) == 1, "they came in one batch"
    assert (await ended(emulator, "POISON-4"))["state"] == "rejected"
    told = (await emulator.get("/api/orders/dead-letters?limit=100")).json()
    shown = [letter["bodyPreview"] for letter in told]
    for poison in POISON[:3]:
        assert sum(f'"id":"{poison["id"]}"' in text for text in shown) == 1
    assert (await emulator.counts("orders"))["dead_letter"] == dead + 3
