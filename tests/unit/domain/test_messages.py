"""What the body of a queue message is."""

import json

import pytest

from domain.messages import (
    MAX_ORDERS,
    OrderBatch,
    SingleOrder,
    StoredOrder,
    Unusable,
    classify,
    interpret,
)
from tests.support.orders import an_order


def test_an_object_with_a_usable_id_is_an_order_faults_or_not() -> None:
    assert interpret(b'{"id": "ORD-1"}') == SingleOrder({"id": "ORD-1"})
    assert interpret(json.dumps(an_order())) == SingleOrder(an_order())


def test_a_bare_array_is_a_batch_without_an_id() -> None:
    assert interpret(b'[{"id": "A"}, 5]') == OrderBatch(None, ({"id": "A"}, 5))


def test_an_object_with_orders_is_a_batch() -> None:
    body = b'{"batchId": "day-1", "orders": [{"id": "A"}]}'
    assert interpret(body) == OrderBatch("day-1", ({"id": "A"},))


def test_a_claim_check_points_to_a_stored_order() -> None:
    assert interpret(b'{"storedOrder": "ORD-1"}') == StoredOrder("ORD-1")


def test_an_order_that_mentions_a_stored_order_is_an_order() -> None:
    assert isinstance(interpret(b'{"id": "A", "storedOrder": "x"}'), SingleOrder)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"ORD-1;C-1;EUR", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'"ORD-1"', "wrong_shape"),
        (b"null", "wrong_shape"),
        (b"42", "wrong_shape"),
        (b"{}", "no_id"),
        (b'{"id": null}', "no_id"),
        (b'{"id": 5}', "invalid_id"),
        (b'{"id": "a/b"}', "invalid_id"),
        (b"[]", "empty_batch"),
        (b'{"orders": []}', "empty_batch"),
        (b'{"orders": {}}', "wrong_shape"),
        (b'{"orders": [{}], "batchId": "a b"}', "invalid_batch_id"),
    ],
)
def test_what_is_neither_says_why(body: bytes, code: str) -> None:
    found = interpret(body)
    assert isinstance(found, Unusable)
    assert found.code == code
    assert found.reason.endswith(".")


def test_a_batch_has_bounds() -> None:
    assert isinstance(classify([{"id": "A"}] * MAX_ORDERS), OrderBatch)
    refused = classify({"orders": [{"id": "A"}] * (MAX_ORDERS + 1)})
    assert isinstance(refused, Unusable)
    assert refused.code == "too_many_orders"
