"""SIGKILL in the middle of the work: what was acknowledged is done, once, after the next start.

First in the midst of a few hundred orders, twice; then at every durable write of one order, one
after the other, until a run meets no more. Other stores, moments and days are `make chaos`.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from azure.core.exceptions import AzureError

from emulator.launch import StartFailed
from tests.support.emulator import Emulator, connected, until
from tests.support.orders import an_order
from tests.support.pipeline import instances, items, pipeline

_ORDERS = 200


async def is_processed(emulator: Emulator, count: int) -> bool:
    return len(await items(emulator, "processed")) >= count


async def check_every_order_once(emulator: Emulator, ids: set[str]) -> None:
    """What must be true when everything is done, however often it was killed."""

    async def settled() -> bool:
        counts = await emulator.counts("orders")
        busy = [each for each in await instances(emulator) if each["runtimeStatus"] != "Completed"]
        return not busy and not counts["active"] and not counts["locked"]

    await until(settled, "nothing is left to do", 60)
    found = await items(emulator, "processed")
    assert Counter(item["id"] for item in found) == Counter(ids)
    assert {item["status"] for item in found} == {"processed"}
    assert {item["attempt"] for item in found} == {1}
    assert Counter(each["instanceId"] for each in await instances(emulator)) == Counter(ids)
    # A step that was cut off is run again, and its event with it: under the same id.
    events = {event["id"]: event["subject"] for event in await emulator.events()}
    assert len(events) == len(ids)
    assert (await emulator.counts("orders"))["dead_letter"] == 0


async def test_killed_twice_in_the_midst_of_many_orders(tmp_path: Path) -> None:
    ids = {f"CRASH-{number:04}" for number in range(_ORDERS)}
    process = pipeline(tmp_path)
    doors = await asyncio.to_thread(process.start)
    try:
        async with connected(process, doors) as emulator:
            await asyncio.gather(
                *(emulator.send("orders", json.dumps(an_order(id=each))) for each in sorted(ids))
            )
            await until(lambda: is_processed(emulator, _ORDERS // 8), "an eighth is processed")
        await asyncio.to_thread(process.kill)
        doors = await asyncio.to_thread(process.start)
        async with connected(process, doors) as emulator:
            await until(lambda: is_processed(emulator, _ORDERS // 2), "half is processed")
        await asyncio.to_thread(process.kill)
        doors = await asyncio.to_thread(process.start)
        async with connected(process, doors) as emulator:
            await until(lambda: is_processed(emulator, _ORDERS), "all are processed", 60)
            await check_every_order_once(emulator, ids)
    finally:
        code = await asyncio.to_thread(process.stop)
    assert code == 0


async def run_until_killed(data_dir: Path, point: str, after: int) -> bool:
    """One order on an emulator that dies at a point; whether it did."""
    rule = json.dumps({"point": point, "action": "die", "after": after})
    process = pipeline(data_dir, ("--faults", rule))
    try:
        doors = await asyncio.to_thread(process.start)
        async with connected(process, doors) as emulator:
            properties = {"MessageId": "crash"}
            await emulator.send("orders", json.dumps(an_order(id="CRASH")), properties)
            await check_every_order_once(emulator, {"CRASH"})
    except (StartFailed, aiohttp.ClientError, AzureError, OSError):
        return True
    except AssertionError:
        if process.running:
            raise
        return True
    finally:
        await asyncio.to_thread(process.stop)
    return False


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "point",
    [
        "taskhub.commit.after",
        "servicebus.commit.before",
        "activity.after",
    ],
)
async def test_killed_at_every_durable_write_of_an_order(tmp_path: Path, point: str) -> None:
    # The writes that make containers and queues at the first start are another matter.
    first = pipeline(tmp_path / "made")
    await asyncio.to_thread(first.start)
    assert await asyncio.to_thread(first.stop) == 0
    after = 0
    while True:
        data_dir = tmp_path / str(after)
        data_dir.mkdir()
        for file in (tmp_path / "made").glob("*.db*"):
            (data_dir / file.name).write_bytes(file.read_bytes())
        died = await run_until_killed(data_dir, point, after)
        process = pipeline(data_dir)
        doors = await asyncio.to_thread(process.start)
        try:
            async with connected(process, doors) as emulator:
                # Whoever was not told that it was taken sends again, under the same id.
                properties = {"MessageId": "crash"}
                await emulator.send("orders", json.dumps(an_order(id="CRASH")), properties)
                await until(lambda e=emulator: is_processed(e, 1), "the order is processed")
                await check_every_order_once(emulator, {"CRASH"})
        finally:
            await asyncio.to_thread(process.stop)
        if not died:
            break
        after += 1
    assert after >= 1
