"""What the API takes, refuses, and puts on the queue."""

import json
from typing import Any

import pytest

from domain.batches import content_digest
from domain.messages import MAX_BODY_BYTES
from domain.order import digest
from tests.support.fakes import (
    Context,
    FakeContainer,
    FakeHub,
    Out,
    fake_store,
    request,
    status,
    store_error,
)
from tests.support.orders import a_line, an_order
from triggers.submit_orders import submit_orders

SAME = {"digest": digest(an_order()), "attempt": 1}


class World:
    """The services behind one call after another."""

    def __init__(self, *statuses: Any, processed: Any = ()) -> None:
        self.hub = FakeHub(*statuses)
        self.processed = FakeContainer(*processed)
        self.submissions = FakeContainer()
        self.sent: list[Any] = []

    async def post(self, body: Any, **headers: str) -> Any:
        out = Out()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with fake_store(processed=self.processed, submissions=self.submissions):
            response = await submit_orders(
                request("POST", body=data, headers=named), self.hub, out, Context()
            )
        if out.value is not None:
            self.sent += [json.loads(text) for text in out.value]
        return response


def told(response: Any) -> Any:
    return json.loads(response.get_body())


async def test_an_order_is_taken_and_queued() -> None:
    world = World()
    response = await world.post(an_order())
    assert response.status_code == 202
    assert response.headers["Location"] == "/api/orders/ORD-1/status"
    assert response.headers["Retry-After"] == "1"
    assert told(response) == {
        "orderId": "ORD-1",
        "state": "queued",
        "digest": digest(an_order()),
        "links": {"self": "/api/orders/ORD-1/status", "order": "/api/orders/ORD-1"},
    }
    assert world.sent == [an_order()]
    receipt = world.submissions.items["ORD-1"]
    assert receipt["digest"] == digest(an_order())
    assert receipt["submittedAt"].endswith("Z")


async def test_behind_a_gateway_the_location_is_the_gateways() -> None:
    response = await World().post(an_order(), X_Forwarded_Host="api.example.org")
    assert response.headers["Location"] == "/orders/ORD-1/status"


async def test_an_order_with_faults_is_taken_too() -> None:
    world = World()
    assert (await world.post(an_order(currency="EURO", lines=[]))).status_code == 202
    assert len(world.sent) == 1


async def test_the_same_order_before_its_run_is_queued_again() -> None:
    world = World()
    await world.post(an_order())
    assert (await world.post(dict(reversed(an_order().items())))).status_code == 202
    assert len(world.sent) == 2


async def test_other_content_before_the_run_is_refused() -> None:
    world = World()
    await world.post(an_order())
    response = await world.post(an_order(lines=[a_line(quantity=9)]))
    assert response.status_code == 409
    assert len(world.sent) == 1


@pytest.mark.parametrize(
    ("runtime_status", "output", "state"),
    [("Running", None, "running"), ("Completed", {"status": "rejected"}, "rejected")],
)
async def test_the_same_order_with_a_run_is_not_queued(
    runtime_status: str, output: Any, state: str
) -> None:
    world = World(status("ORD-1", runtime_status, given=SAME, output=output))
    response = await world.post(an_order())
    assert (response.status_code, told(response)["state"]) == (202, state)
    assert world.sent == []


@pytest.mark.parametrize("runtime_status", ["Running", "Completed"])
async def test_other_content_with_a_run_is_refused(runtime_status: str) -> None:
    world = World(status("ORD-1", runtime_status, given={"digest": "other", "attempt": 1}))
    response = await world.post(an_order())
    assert response.status_code == 409
    assert response.headers["Content-Type"].startswith("application/problem+json")
    assert told(response)["type"] == "urn:durable-orders:problem:conflict"
    assert world.sent == []


async def test_after_a_failure_the_order_is_queued_again() -> None:
    world = World(status("ORD-1", "Failed", given={"digest": "other", "attempt": 1}))
    response = await world.post(an_order())
    assert (response.status_code, told(response)["state"]) == (202, "queued")
    assert world.sent == [an_order()]


async def test_an_order_of_which_only_the_item_is_left_is_recognised() -> None:
    item = {**an_order(), "digest": digest(an_order()), "status": "processed"}
    world = World(processed=[item])
    response = await world.post(an_order())
    assert (response.status_code, told(response)["state"]) == (202, "processed")
    assert (await world.post(an_order(lines=[a_line(quantity=9)]))).status_code == 409
    assert world.sent == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not"),
        (b"{", "not"),
        (b"\xff", "not"),
        (b"NaN", "not"),
        (b'"ORD-1"', "wrong_shape"),
        (b"{}", "no_id"),
        (b'{"id": "a/b"}', "invalid_id"),
        (b"[]", "empty_batch"),
        (b'{"storedOrder": "x"}', "wrong_shape"),
        (b'{"orders": [{"id": "A"}, 5, {}]}', "invalid_id"),
    ],
)
async def test_what_is_malformed_is_a_400_with_its_reason(body: bytes, code: str) -> None:
    world = World()
    response = await world.post(body)
    problem = told(response)
    assert response.status_code == problem["status"] == 400
    assert problem["detail"]
    assert problem["instance"] == "/api/orders"
    assert problem["traceId"] == "0af7651916cd43dd8448eb211c80319c"
    if code != "not":
        assert problem["errors"][0]["code"] == code
    assert world.sent == []


async def test_every_entry_without_a_usable_id_is_told() -> None:
    response = await World().post([{"id": "A"}, 5, {"id": "/"}])
    assert [error["field"] for error in told(response)["errors"]] == [
        "orders[1].id",
        "orders[2].id",
    ]


async def test_what_is_larger_than_a_message_is_a_413() -> None:
    world = World()
    response = await world.post(an_order(note="x" * MAX_BODY_BYTES))
    assert response.status_code == 413
    assert world.sent == []
    assert world.submissions.items == {}


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json; charset=utf-8", 202),
        ("application/vnd.orders+json", 202),
        ("text/plain", 415),
        ("application/xml", 415),
    ],
)
async def test_only_json_is_taken(content_type: str, expected: int) -> None:
    assert (await World().post(an_order(), Content_Type=content_type)).status_code == expected


async def test_a_caller_may_do_without_the_body() -> None:
    response = await World().post(an_order(), Prefer="respond-async, return=minimal")
    assert response.status_code == 202
    assert response.get_body() == b""
    assert response.headers["Preference-Applied"] == "return=minimal"
    assert response.headers["Location"] == "/api/orders/ORD-1/status"


@pytest.mark.parametrize(
    ("body", "headers", "batch_id"),
    [
        ({"batchId": "day-1", "orders": [an_order()]}, {"Idempotency_Key": "k"}, "day-1"),
        ([an_order()], {"Idempotency_Key": '"key-1"'}, "key-1"),
        ({"orders": [an_order()]}, {}, content_digest([an_order()])[:32]),
    ],
)
async def test_a_batch_has_an_id_that_stays_the_same(
    body: Any, headers: dict[str, str], batch_id: str
) -> None:
    world = World()
    response = await world.post(body, **headers)
    assert response.status_code == 202
    assert response.headers["Location"] == f"/api/batches/{batch_id}/status"
    assert world.sent == [{"batchId": batch_id, "orders": [an_order()]}]
    assert f"batch:{batch_id}" in world.submissions.items


async def test_an_unusable_idempotency_key_is_refused() -> None:
    assert (await World().post([an_order()], Idempotency_Key="a b")).status_code == 400


async def test_a_batch_posted_twice_runs_once_and_other_content_is_refused() -> None:
    given = {"digest": content_digest([an_order()]), "attempt": 1}
    world = World(status("batch:day-1", "Completed", name="process_batch", given=given))
    response = await world.post({"batchId": "day-1", "orders": [an_order()]})
    assert (response.status_code, told(response)["state"]) == (202, "completed")
    other = await world.post({"batchId": "day-1", "orders": [an_order(id="B")]})
    assert other.status_code == 409
    assert world.sent == []


async def test_a_store_that_does_not_answer_is_a_503() -> None:
    world = World()
    world.processed.failures.append(store_error(503))
    response = await world.post(an_order())
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert world.sent == []
