"""Orders through the whole pipeline: HTTP, queue and feed in; items, events and states out."""

import json
from typing import Any

import pytest

from tests.support.emulator import Emulator, until
from tests.support.orders import a_line, an_order
from tests.support.pipeline import final_status, items, store, submit


async def events_of(emulator: Emulator, order_id: str) -> list[dict[str, Any]]:
    return [event for event in await emulator.events() if order_id in json.dumps(event)]


async def test_order_goes_through(emulator: Emulator) -> None:
    answer = await submit(emulator, an_order(id="E2E-1"))
    assert answer.status == 202
    assert answer.headers["Location"].endswith("/orders/E2E-1/status")
    assert int(answer.headers["Retry-After"]) >= 1
    status = await final_status(emulator, "E2E-1")
    assert status["state"] == "processed"
    assert [step["state"] for step in status["steps"]] == ["completed"] * 4
    item = (await emulator.get("/api/orders/E2E-1")).json()
    assert item["status"] == "processed"
    assert item["totals"]["subtotal"] == "39.80"
    listed = (await emulator.get("/api/orders")).json()
    assert "E2E-1" in [order["id"] for order in listed]
    [event] = await events_of(emulator, "E2E-1")
    assert event["type"] == "DurableOrders.OrderProcessed"
    assert event["specversion"] == "1.0"


async def test_refused_order_is_a_result_and_not_a_failure(emulator: Emulator) -> None:
    order = an_order(id="E2E-2", lines=[a_line(quantity=0)], currency="EURO")
    assert (await submit(emulator, order)).status == 202
    status = await final_status(emulator, "E2E-2")
    assert status["state"] == "rejected"
    [event] = await events_of(emulator, "E2E-2")
    assert event["type"] == "DurableOrders.OrderRejected"


async def test_same_order_twice_is_processed_once(emulator: Emulator) -> None:
    order = an_order(id="E2E-3")
    assert (await submit(emulator, order)).status == 202
    assert (await submit(emulator, order)).status == 202
    await final_status(emulator, "E2E-3")
    assert (await submit(emulator, order)).status == 202
    status = await final_status(emulator, "E2E-3")
    assert status["attempt"] == 1
    assert len(await events_of(emulator, "E2E-3")) == 1


async def test_caller_who_waits_gets_the_end_of_the_attempt_that_it_asked_for(
    emulator: Emulator,
) -> None:
    fault = {
        "point": "activity.before",
        "action": "fail",
        "match": {"function": "persist_order", "instance": "E2E-W"},
        "message": "[STORE_REFUSED] injected",
    }
    assert (await emulator.post("/emulator/faults", json=fault)).status in (200, 201)
    for attempt, state in ((1, "failed"), (2, "processed")):
        answer = await submit(emulator, an_order(id="E2E-W"), Prefer="wait=30")
        assert answer.status == 200, answer.text
        assert (answer.json()["attempt"], answer.json()["state"]) == (attempt, state)
    again = await submit(emulator, an_order(id="E2E-W"), Prefer="wait=30")
    assert (again.status, again.json()["attempt"]) == (200, 2)
    assert (await emulator.get("/api/orders/E2E-W/status")).json() == again.json()
    assert len(await events_of(emulator, "E2E-W")) == 1


async def test_same_id_with_other_content_is_a_conflict(emulator: Emulator) -> None:
    assert (await submit(emulator, an_order(id="E2E-4"))).status == 202
    await final_status(emulator, "E2E-4")
    answer = await submit(emulator, an_order(id="E2E-4", currency="USD"))
    assert answer.status == 409
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("body", [b"not json", b'{"id": 5}', b"[]"])
async def test_malformed_submission_is_refused(emulator: Emulator, body: bytes) -> None:
    answer = await emulator.post(
        "/api/orders", data=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status == 400
    assert answer.json()["status"] == 400


async def test_message_that_is_no_order_is_dead_lettered_and_blocks_nothing(
    emulator: Emulator,
) -> None:
    before = (await emulator.counts("orders"))["dead_letter"]
    await emulator.send("orders", "not json")
    await emulator.send("orders", json.dumps(an_order(id="E2E-5")))

    async def dead() -> bool:
        return (await emulator.counts("orders"))["dead_letter"] == before + 1

    await until(dead, "the message is dead-lettered")

    async def processed() -> bool:
        return (await emulator.get("/api/orders/E2E-5")).status == 200

    await until(processed, "the order behind it is processed")
    bodies = [message["body"] for message in await emulator.peek("orders/$DeadLetterQueue")]
    assert "not json" in bodies


async def test_document_in_toprocess_becomes_an_order(emulator: Emulator) -> None:
    async with store(emulator, "toprocess") as container:
        await container.upsert_item(an_order(id="E2E-6"))

    async def processed() -> bool:
        return (await emulator.get("/api/orders/E2E-6")).status == 200

    await until(processed, "the order of the feed is processed")
    # The item is there before the event is.
    await final_status(emulator, "E2E-6")
    assert len(await events_of(emulator, "E2E-6")) == 1


async def test_file_that_is_dropped_becomes_orders(emulator: Emulator) -> None:
    url = f"{emulator.doors.blob}/devstoreaccount1/inputfiles/today.json"
    async with emulator.http.put(
        url, data=json.dumps(an_order(id="E2E-F")), headers={"x-ms-blob-type": "BlockBlob"}
    ) as response:
        assert response.status == 201

    async def processed() -> bool:
        return (await emulator.get("/api/orders/E2E-F")).status == 200

    await until(processed, "the order of the file is processed")


async def test_batch_is_fanned_out_and_summed_up(emulator: Emulator) -> None:
    orders = [an_order(id=f"E2E-B{number}") for number in range(60)]
    orders[7] = an_order(id="E2E-B7", lines=[])
    answer = await submit(emulator, {"orders": orders})
    assert answer.status == 202
    location = answer.headers["Location"]

    async def final() -> dict[str, Any] | None:
        status = await emulator.get(location)
        assert status.status in (200, 202)
        found: dict[str, Any] = status.json()
        return found if status.status == 200 else None

    summary = await until(final, "the batch is done", 60)
    text = json.dumps(summary)
    assert "E2E-B7" in text
    found = {item["id"]: item["status"] for item in await items(emulator, "processed")}
    batch = {name: status for name, status in found.items() if name.startswith("E2E-B")}
    assert len(batch) == 60
    assert [name for name, status in batch.items() if status != "processed"] == ["E2E-B7"]


async def test_unknown_order_is_404(emulator: Emulator) -> None:
    assert (await emulator.get("/api/orders/NOPE/status")).status == 404
    assert (await emulator.get("/api/orders/NOPE")).status == 404


async def test_outage_of_the_store_is_waited_out(emulator: Emulator) -> None:
    rule = {
        "point": "cosmos.request",
        "action": "fail",
        "match": {"container": "processed", "method": "POST"},
        "times": 2,
    }
    assert (await emulator.post("/emulator/faults", json=rule)).status == 201
    assert (await submit(emulator, an_order(id="E2E-7"))).status == 202
    status = await final_status(emulator, "E2E-7")
    assert status["state"] == "processed"
    assert len(await events_of(emulator, "E2E-7")) == 1


async def test_health_tells_every_dependency(emulator: Emulator) -> None:
    answer = await emulator.get("/api/health")
    assert answer.status == 200
