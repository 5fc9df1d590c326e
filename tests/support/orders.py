"""Orders to test with."""

from typing import Any


def a_line(**changes: Any) -> dict[str, Any]:
    """A line without a fault, with these fields changed."""
    return {"sku": "SKU-1001", "description": "Cups", "quantity": 2, "unitPrice": "19.90"} | changes


def an_order(**changes: Any) -> dict[str, Any]:
    """An order without a fault, with these fields changed; a field set to `...` is left out."""
    order = {
        "id": "ORD-1",
        "customerId": "C-1042",
        "currency": "EUR",
        "country": "FR",
        "orderedAt": "2026-11-20T09:30:00Z",
        "lines": [a_line()],
    } | changes
    return {name: value for name, value in order.items() if value is not ...}


def order_input(attempt: int = 1, **changes: Any) -> dict[str, Any]:
    """Input of `process_order`."""
    return {
        "order": an_order(**changes),
        "digest": "d" * 64,
        "attempt": attempt,
        "source": {"messageId": "m-1", "enqueuedAt": "2026-11-20T09:29:59.000Z", "batchId": None},
    }
