"""Replays, as an operator sees them: what is run again, what is reused, and what is refused.

The truth table: every way in which an order can end badly, replayed by itself and in bulk. Steps
that ran are told by the status, effects are counted by their keys.
"""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from domain.order import parse_instant
from tests.support.emulator import Emulator, until
from tests.support.orders import a_line, an_order
from tests.support.pipeline import final_status, items, submit

STEPS = ("validate", "enrich", "persist", "notify")
FATAL = "[STORE_REFUSED] injected"


@dataclass(frozen=True)
class Case:
    """A way to end badly, and what a replay has to run again."""

    name: str
    step: str
    again: tuple[str, ...]
    message: str = FATAL
    times: int = 1
    way: Literal["alone", "in a batch", "terminated"] = "alone"


CASES = [
    Case("fails in validate", "validate", STEPS),
    Case("fails in enrich", "enrich", STEPS[1:]),
    Case("fails in persist", "persist", STEPS[2:]),
    Case("fails in notify", "notify", STEPS[3:]),
    Case("fails after retries", "validate", STEPS, message="injected", times=3),
    Case("fails as a member of a batch", "enrich", STEPS[1:], way="in a batch"),
    # Nobody could keep what had succeeded.
    Case("is terminated", "enrich", STEPS, way="terminated"),
]


async def break_step(
    emulator: Emulator, order_id: str, step: str, message: str = FATAL, times: int = 1
) -> None:
    """The next attempts of a step of this order fail."""
    rule = {
        "point": "activity.before",
        "action": "fail",
        "match": {"function": f"{step}_order", "instance": f"{order_id}*"},
        "message": message,
        "times": times,
    }
    assert (await emulator.post("/emulator/faults", json=rule)).status in (200, 201)


async def fail(emulator: Emulator, order_id: str, case: Case) -> dict[str, Any]:
    """An order that has ended badly as the case says; its status."""
    if case.way == "terminated":
        return await terminate(emulator, order_id)
    await break_step(emulator, order_id, case.step, case.message, case.times)
    if case.way == "in a batch":
        await submit_with_a_sibling(emulator, order_id)
    else:
        assert (await submit(emulator, an_order(id=order_id))).status == 202
    status = await final_status(emulator, order_id)
    assert status["state"] == "failed"
    assert status["error"]["stage"] == case.step
    return status


async def submit_with_a_sibling(emulator: Emulator, order_id: str) -> None:
    """A batch of this order and another, which goes through."""
    orders = [an_order(id=order_id), an_order(id=f"SIBLING-OF-{order_id}")]
    batch = {"batchId": f"batch-of-{order_id}", "orders": orders}
    assert (await submit(emulator, batch)).status == 202

    async def ended() -> bool:
        return (await emulator.get(f"/api/batches/batch-of-{order_id}/status")).status == 200

    await until(ended, "the batch has ended")
    assert (await final_status(emulator, f"SIBLING-OF-{order_id}"))["state"] == "processed"


async def terminate(emulator: Emulator, order_id: str) -> dict[str, Any]:
    """An order that was terminated while it was being enriched; its status."""
    slow = {
        "point": "activity.before",
        "action": "delay",
        "match": {"function": "enrich_order", "instance": order_id},
        "seconds": 3,
    }
    await emulator.post("/emulator/faults", json=slow)
    await submit(emulator, an_order(id=order_id))

    async def enriching() -> bool:
        body = (await emulator.get(f"/api/orders/{order_id}/status")).json()
        return bool(body.get("stage") == "enrich")

    await until(enriching, f"{order_id} is being enriched")
    place = f"/runtime/webhooks/durabletask/instances/{order_id}/terminate?reason=by%20hand"
    assert (await emulator.post(place)).status == 202
    status = await final_status(emulator, order_id)
    assert status["state"] == "terminated"
    assert status["error"] == {"stage": "enrich", "code": "TERMINATED", "message": "by hand"}
    return status


async def replayed(emulator: Emulator, order_id: str, attempt: int = 2) -> dict[str, Any]:
    """The status of an order when that attempt has ended."""

    async def ended() -> dict[str, Any] | None:
        body: dict[str, Any] = (await emulator.get(f"/api/orders/{order_id}/status")).json()
        done = body["state"] in ("processed", "rejected", "failed")
        return body if body["attempt"] == attempt and done else None

    return await until(ended, f"attempt {attempt} at {order_id} has ended")


async def events_of(emulator: Emulator, order_id: str) -> list[str]:
    ids = [str(event["id"]) for event in await emulator.events()]
    return [each for each in ids if each.startswith(f"{order_id}:")]


def ran(status: dict[str, Any]) -> tuple[str, ...]:
    """The steps that this attempt ran itself."""
    return tuple(step["name"] for step in status["steps"] if step["state"] == "completed")


async def check_processed(emulator: Emulator, order_id: str, case: Case) -> None:
    """The replay went through, ran what it had to, and every effect is there once."""
    status = await replayed(emulator, order_id)
    assert status["state"] == "processed"
    assert ran(status) == case.again
    item = (await emulator.get(f"/api/orders/{order_id}")).json()
    # An item that was written before the failure is not written again.
    assert item["attempt"] == (1 if case.step == "notify" else 2)
    assert len(await events_of(emulator, order_id)) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_single_replay_runs_what_had_not_succeeded(emulator: Emulator, case: Case) -> None:
    order_id = f"ONE-{CASES.index(case)}"
    await fail(emulator, order_id, case)
    answer = await emulator.post(
        f"/api/orders/{order_id}/replay",
        json={"reason": "repaired"},
        headers={"X-Orders-Caller": "op-7"},
    )
    assert answer.status == 202
    assert answer.headers["Location"].endswith(f"/orders/{order_id}/status")
    await check_processed(emulator, order_id, case)
    if case.step != "notify":
        item = (await emulator.get(f"/api/orders/{order_id}")).json()
        started_at = item["replay"].pop("startedAt")
        assert item["replay"] == {"reason": "repaired", "requestedBy": "op-7"}
        assert parse_instant(started_at) <= parse_instant(item["processedAt"])


async def test_bulk_replay_does_the_same_for_every_order_of_its_selection(
    emulator: Emulator,
) -> None:
    ids = {f"BULK-{n}": case for n, case in enumerate(CASES)}
    for order_id, case in ids.items():
        await fail(emulator, order_id, case)
    await fail(emulator, "BULK-LEFT", CASES[0])
    selection = {"reason": "repaired", "ids": list(ids), "terminated": True}
    plan = (await emulator.post("/api/orders/replay", json={**selection, "dryRun": True})).json()
    assert {entry["orderId"]: tuple(entry["run"]) for entry in plan["orders"]} == {
        order_id: case.again for order_id, case in ids.items()
    }
    answer = await emulator.post("/api/orders/replay", json=selection)
    assert answer.status == 202
    for order_id, case in ids.items():
        await check_processed(emulator, order_id, case)
    left = (await emulator.get("/api/orders/BULK-LEFT/status")).json()
    assert (left["state"], left["attempt"]) == ("failed", 1)


async def test_the_filter_takes_stage_and_code_and_time(emulator: Emulator) -> None:
    await fail(emulator, "FILTER-1", CASES[1])
    await fail(emulator, "FILTER-2", CASES[2])

    async def planned(**filters: Any) -> set[str]:
        body = {"reason": "look", "dryRun": True, **filters}
        plan = (await emulator.post("/api/orders/replay", json=body)).json()
        found = {entry["orderId"] for entry in plan["orders"]}
        return found & {"FILTER-1", "FILTER-2"}

    assert await planned() == {"FILTER-1", "FILTER-2"}
    assert await planned(stage="enrich") == {"FILTER-1"}
    assert await planned(stage="persist", code="STORE_REFUSED") == {"FILTER-2"}
    assert await planned(code="ANOTHER") == set()
    assert await planned(failedBefore="2020-01-01T00:00:00Z") == set()
    assert await planned(failedAfter="2020-01-01T00:00:00Z") == {"FILTER-1", "FILTER-2"}


async def test_rejected_order_is_replayed_with_a_corrected_body_only(emulator: Emulator) -> None:
    await submit(emulator, an_order(id="WRONG", lines=[a_line(quantity=0)]))
    assert (await final_status(emulator, "WRONG"))["state"] == "rejected"
    answer = await emulator.post("/api/orders/WRONG/replay", json={"reason": "try again"})
    assert answer.status == 409
    right = an_order(id="WRONG", lines=[a_line(quantity=3)])
    answer = await emulator.post(
        "/api/orders/WRONG/replay", json={"reason": "quantity corrected", "order": right}
    )
    assert answer.status == 202
    status = await replayed(emulator, "WRONG")
    assert (status["state"], ran(status)) == ("processed", STEPS)
    stored = {item["id"]: item for item in await items(emulator, "processed")}["WRONG"]
    assert (stored["status"], stored["attempt"], stored["lines"][0]["quantity"]) == (
        "processed",
        2,
        3,
    )
    # One event for each outcome that was told to the world.
    assert len(await events_of(emulator, "WRONG")) == 2


async def test_bulk_replay_takes_neither_the_rejected_nor_the_processed(
    emulator: Emulator,
) -> None:
    await submit(emulator, an_order(id="BULK-WRONG", lines=[a_line(quantity=0)]))
    await submit(emulator, an_order(id="BULK-FINE"))
    assert (await final_status(emulator, "BULK-WRONG"))["state"] == "rejected"
    assert (await final_status(emulator, "BULK-FINE"))["state"] == "processed"
    await fail(emulator, "BULK-BAD", CASES[3])
    ids = ["BULK-WRONG", "BULK-FINE", "BULK-BAD"]
    selection = {"reason": "repaired", "ids": ids}
    plan = (await emulator.post("/api/orders/replay", json={**selection, "dryRun": True})).json()
    assert [entry["orderId"] for entry in plan["orders"]] == ["BULK-BAD"]
    assert (await emulator.post("/api/orders/replay", json=selection)).status == 202
    await check_processed(emulator, "BULK-BAD", CASES[3])
    for order_id in ids[:2]:
        assert (await emulator.get(f"/api/orders/{order_id}/status")).json()["attempt"] == 1
        assert len(await events_of(emulator, order_id)) == 1


async def test_what_has_not_failed_is_not_replayed(emulator: Emulator) -> None:
    await submit(emulator, an_order(id="FINE"))
    assert (await final_status(emulator, "FINE"))["state"] == "processed"
    answer = await emulator.post("/api/orders/FINE/replay", json={"reason": "why not"})
    assert answer.status == 409
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (await emulator.post("/api/orders/NOBODY/replay", json={"reason": "x"})).status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": " "}, "reason"),
        ({"reason": "x", "stage": "pay"}, "stage"),
        ({"reason": "x", "failedAfter": "yesterday"}, "failedAfter"),
        ({"reason": "x", "ids": "A"}, "ids"),
        ({"reason": "x", "surprise": 1}, "surprise"),
        ([], ""),
    ],
)
async def test_replay_that_makes_no_sense_says_why(
    emulator: Emulator, body: Any, field: str
) -> None:
    answer = await emulator.post("/api/orders/replay", json=body)
    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == field
