"""Keys are stable, and told apart where they must be."""

import pytest

from domain import keys
from domain.events import MAX_ERRORS, outcome_event
from domain.payloads import ProcessBatchInput, ProcessOrderInput, Source


def event(status: str = "processed", attempt: int = 1, errors: int = 0) -> dict[str, object]:
    return outcome_event(
        order_id="ORD-1",
        digest="d",
        status=status,
        attempt=attempt,
        processed_at="2026-11-20T09:30:00.000000Z",
        totals={"total": "1.00", "lines": ["1.00"]},
        errors=[{"field": "f", "code": "c", "message": "m"}] * errors,
    )


def test_an_event_of_a_repeated_attempt_has_the_same_id() -> None:
    assert event(attempt=1)["id"] == event(attempt=2)["id"]
    assert event("processed")["id"] != event("rejected")["id"]


def test_an_event_is_a_cloud_event_and_a_notice_not_a_copy() -> None:
    told = event("rejected", errors=30)
    assert {"specversion", "id", "source", "type"} <= told.keys()
    assert told["type"] == "DurableOrders.OrderRejected"
    data = told["data"]
    assert isinstance(data, dict)
    assert len(data["errors"]) == MAX_ERRORS
    assert data["errorCount"] == 30
    assert "lines" not in data["totals"]


def test_an_unknown_status_has_no_event() -> None:
    with pytest.raises(KeyError):
        event("failed")


def test_no_instance_id_of_a_batch_can_be_an_orders() -> None:
    ids = [
        keys.batch_instance_id("b"),
        keys.chunk_instance_id("b", 1, 0),
        keys.child_instance_id("ORD-1", "b", 1),
    ]
    assert all(":" in instance_id for instance_id in ids)
    assert keys.batch_id_of(keys.batch_instance_id("b")) == "b"


def test_children_are_found_by_their_orders_prefix_and_by_no_others() -> None:
    child = keys.child_instance_id("ORD-1", "b", 1)
    assert child.startswith(keys.child_prefix("ORD-1"))
    assert not child.startswith(keys.child_prefix("ORD-"))
    assert child != keys.child_instance_id("ORD-1", "b", 2)
    assert child != keys.child_instance_id("ORD-1", "c", 1)


def test_payloads_survive_their_json() -> None:
    order = ProcessOrderInput(
        {"id": "A"}, "d", 2, Source("m", "t", "b"), {"validate": {"errors": []}}, {"reason": "r"}
    )
    assert ProcessOrderInput.from_dict(order.to_dict()) == order
    batch = ProcessBatchInput("b", [1, {}], "d", 2, Source("m", None, None))
    assert ProcessBatchInput.from_dict(batch.to_dict()) == batch
    assert ProcessOrderInput.from_dict({"order": {}, "digest": "d"}).attempt == 1
