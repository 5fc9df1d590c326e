"""The store and the topic refuse, for a while and for longer than anybody retries.

The answers are the vendor's: status, sub-status, `x-ms-retry-after-ms`, text. They go through the
real SDK's own retries, then through the orchestration's; waits are passed by stepping the clock.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, connected, until
from tests.support.orders import an_order
from tests.support.pipeline import final_status, items, submit

# Status, headers and text as Cosmos DB answers, and the code that the app makes of it.
REFUSALS: dict[int, tuple[dict[str, Any], str, str]] = {
    429: (
        {"x-ms-substatus": 3200, "x-ms-retry-after-ms": 50},
        "Request rate is large. More Request Units may be needed, so no changes were made. Please "
        "retry this request later.",
        "STORE_BUSY",
    ),
    449: (
        {"x-ms-retry-after-ms": 50},
        "Conflicting request to resource has been attempted. Retry to avoid conflicts.",
        "STORE_BUSY",
    ),
    503: (
        {"x-ms-substatus": 20001},
        "Service is currently unavailable, please retry after a while.",
        "STORE_UNAVAILABLE",
    ),
    410: (
        {"x-ms-substatus": 1007},
        "The requested resource is no longer available at the server.",
        "STORE_UNAVAILABLE",
    ),
}
_TRIES = 6  # of `persist_order` and `notify_order`


@pytest.fixture
async def emulator(process: tuple[EmulatorProcess, Doors]) -> AsyncIterator[Emulator]:
    async with connected(*process) as client:
        yield client
        await client.ask("DELETE", "/emulator/faults")


async def refuse(emulator: Emulator, order_id: str, status: int, times: int | None) -> None:
    """The store answers so to each write of this order."""
    headers, text, _ = REFUSALS[status]
    rule = {
        "point": "cosmos.request",
        "action": "fail",
        "match": {"container": "processed", "method": "POST", "partition": f'*"{order_id}"*'},
        "times": times,
        "message": json.dumps({"status": status, "headers": headers, "message": text}),
    }
    assert (await emulator.post("/emulator/faults", json=rule)).status == 201


async def final(emulator: Emulator, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The orders' last states, with time passing quickly until then."""
    waiting = [asyncio.ensure_future(final_status(emulator, each)) for each in ids]
    while not all(each.done() for each in waiting):
        await emulator.post("/emulator/clock", json={"advanceSeconds": 5})
        await asyncio.wait(waiting, timeout=0.1)
    return dict(zip(ids, await asyncio.gather(*waiting), strict=True))


def step(status: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in status["steps"] if each["name"] == name)
    return found


async def keys(emulator: Emulator, ids: Sequence[str]) -> Counter[str]:
    """How often each event of these orders was published."""
    found = [str(event["id"]) for event in await emulator.events()]
    return Counter(each for each in found if each.partition(":")[0] in ids)


async def replay(emulator: Emulator, order_id: str) -> None:
    """A new attempt has been processed."""
    path = f"/api/orders/{order_id}/replay"
    assert (await emulator.post(path, json={"reason": "it is over"})).status == 202

    async def is_processed() -> bool:
        status = (await emulator.get(f"/api/orders/{order_id}/status")).json()
        return bool(status["state"] == "processed" and status["attempt"] == 2)

    await until(is_processed, f"{order_id} is processed by its second attempt")


async def test_a_store_that_refuses_for_a_while_is_waited_out(emulator: Emulator) -> None:
    ids = {status: f"WHILE-{status}" for status in REFUSALS}
    for status, order_id in ids.items():
        await refuse(emulator, order_id, status, times=2)
        assert (await submit(emulator, an_order(id=order_id))).status == 202
    found = await final(emulator, list(ids.values()))
    assert {each["state"] for each in found.values()} == {"processed"}
    assert {each["attempt"] for each in found.values()} == {1}
    # The client itself does as x-ms-retry-after-ms says.
    assert step(found["WHILE-429"], "persist")["attempts"] == 1
    told = await keys(emulator, list(ids.values()))
    assert (len(told), set(told.values())) == (len(ids), {1})
    rules = (await emulator.get("/emulator/faults")).json()["rules"]
    assert all(rule["seen"] >= 2 for rule in rules)


async def test_a_store_that_refuses_for_longer_fails_orders_which_are_replayed(
    emulator: Emulator,
) -> None:
    ids = {status: f"LONG-{status}" for status in REFUSALS}
    for status, order_id in ids.items():
        await refuse(emulator, order_id, status, times=None)
        assert (await submit(emulator, an_order(id=order_id))).status == 202
    found = await final(emulator, list(ids.values()))
    for status, order_id in ids.items():
        assert found[order_id]["state"] == "failed"
        error = found[order_id]["error"]
        assert (error["stage"], error["code"]) == ("persist", REFUSALS[status][2])
        assert step(found[order_id], "persist")["attempts"] == _TRIES
    stored = {item["id"] for item in await items(emulator, "processed")}
    assert not stored & set(ids.values())
    assert not await keys(emulator, list(ids.values()))
    await emulator.ask("DELETE", "/emulator/faults")
    await asyncio.gather(*(replay(emulator, order_id) for order_id in ids.values()))
    assert set((await keys(emulator, list(ids.values()))).values()) == {1}
    assert len(await keys(emulator, list(ids.values()))) == len(ids)


async def test_a_topic_that_is_down_for_a_while_is_waited_out(emulator: Emulator) -> None:
    rule = {"point": "eventgrid.publish", "action": "fail", "times": 3}
    await emulator.post("/emulator/faults", json=rule)
    assert (await submit(emulator, an_order(id="TOPIC-1"))).status == 202
    found = (await final(emulator, ["TOPIC-1"]))["TOPIC-1"]
    assert found["state"] == "processed"
    assert step(found, "notify")["attempts"] == 4
    assert (await keys(emulator, ["TOPIC-1"])).total() == 1


async def test_a_topic_that_stays_down_fails_orders_whose_replay_only_notifies(
    emulator: Emulator,
) -> None:
    rule = {"point": "eventgrid.publish", "action": "fail", "times": None}
    await emulator.post("/emulator/faults", json=rule)
    assert (await submit(emulator, an_order(id="TOPIC-2"))).status == 202
    found = (await final(emulator, ["TOPIC-2"]))["TOPIC-2"]
    assert (found["state"], found["error"]["stage"]) == ("failed", "notify")
    assert step(found, "notify")["attempts"] == _TRIES
    [before] = [item for item in await items(emulator, "processed") if item["id"] == "TOPIC-2"]
    await emulator.ask("DELETE", "/emulator/faults")
    await replay(emulator, "TOPIC-2")
    [after] = [item for item in await items(emulator, "processed") if item["id"] == "TOPIC-2"]
    assert after["_etag"] == before["_etag"]
    assert (await keys(emulator, ["TOPIC-2"])).total() == 1
