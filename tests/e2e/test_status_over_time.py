"""What the status of an order says from its submission to its end never goes back.

One order is watched all the time, through retries, a kill of the host, a failure and a replay.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from domain.order import parse_instant
from domain.status import FINAL_STATES, may_follow
from tests.support.emulator import Emulator, connected, until
from tests.support.orders import an_order
from tests.support.pipeline import final_status, pipeline, submit

ORDER = "WATCHED"
# The states of a step, each behind those that may come before it in one attempt.
RANK = {
    "pending": 0,
    "running": 1,
    "waiting": 1,
    "failed": 2,
    "completed": 2,
    "carried": 2,
    "skipped": 2,
}


class Watcher:
    """Polls one order's status as often as it is answered, and keeps what changed."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    async def watch(self, emulator: Emulator) -> None:
        while True:
            answer = await emulator.get(f"/api/orders/{ORDER}/status")
            if answer.status in (200, 202):
                body = answer.json()
                assert (answer.status == 200) == (body["state"] in FINAL_STATES)
                if not self.seen or self.seen[-1] != body:
                    self.seen.append(body)
            await asyncio.sleep(0.002)

    async def saw(self, what: str, **wanted: Any) -> None:
        async def it_did() -> bool:
            return any(wanted.items() <= body.items() for body in self.seen)

        await until(it_did, what)


@asynccontextmanager
async def watched(
    watcher: Watcher, data_dir: Path, failure: str, times: int
) -> AsyncIterator[Emulator]:
    """The pipeline, with an outage of the step persist, and the watcher at work; killed after."""
    rule = {
        "point": "activity.before",
        "action": "fail",
        "match": {"function": "persist_order", "instance": ORDER},
        "message": failure,
        "times": times,
    }
    process = pipeline(data_dir, ("--faults", json.dumps(rule)))
    doors = await asyncio.to_thread(process.start)
    try:
        async with connected(process, doors) as emulator:
            watching = asyncio.create_task(watcher.watch(emulator))
            yield emulator
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    finally:
        await asyncio.to_thread(process.kill)


def check(seen: list[dict[str, Any]]) -> None:
    """No state, attempt, time or step of what was seen goes back."""
    for before, after in pairwise(seen):
        told = f"{before} -> {after}"
        assert may_follow(
            (before["state"], before["attempt"]), (after["state"], after["attempt"])
        ), told
        # In the queue it is when the API took the order; from then on, when the queue did.
        if before["state"] != "queued":
            assert before["submittedAt"] == after["submittedAt"], told
        assert instant(before) <= instant(after), told
        if before["attempt"] == after["attempt"]:
            for earlier, later in zip(before["steps"], after["steps"], strict=True):
                assert earlier["name"] == later["name"], told
                assert RANK[earlier["state"]] <= RANK[later["state"]], told
                assert earlier["attempts"] <= later["attempts"], told


def instant(body: dict[str, Any]) -> Any:
    found = parse_instant(body["updatedAt"])
    assert found is not None
    return found


async def test_nothing_that_is_shown_goes_back(tmp_path: Path) -> None:
    watcher = Watcher()
    async with watched(watcher, tmp_path, "injected", 1000) as emulator:
        assert (await submit(emulator, an_order(id=ORDER))).status == 202
        await watcher.saw("the order is persisted", stage="persist")

        async def waits() -> bool:
            return any((body["waitingFor"] or {}).get("until") for body in watcher.seen)

        await until(waits, "it waits for its next attempt, and says until when")
    async with watched(watcher, tmp_path, "[STORE_REFUSED] injected", 1) as emulator:
        assert (await final_status(emulator, ORDER))["state"] == "failed"
        answer = await emulator.post(f"/api/orders/{ORDER}/replay", json={"reason": "mended"})
        assert answer.status == 202
        await watcher.saw("the second attempt is processed", state="processed", attempt=2)
    check(watcher.seen)
    failed = next(body for body in watcher.seen if body["state"] == "failed")
    assert (failed["error"]["stage"], failed["error"]["code"]) == ("persist", "STORE_REFUSED")
    persist = failed["steps"][2]
    assert persist["state"] == "failed"
    assert persist["attempts"] > 1
