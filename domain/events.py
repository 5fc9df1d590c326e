"""The event that tells an order's outcome, as CloudEvents 1.0 in JSON.

The id is made of order, digest and status, so whoever receives an event twice can tell.
Source: CloudEvents specification 1.0.2, JSON event format. Called by `notify_order`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain import keys

SOURCE = "/durable-orders/orders"
TYPES = {
    "processed": "DurableOrders.OrderProcessed",
    "rejected": "DurableOrders.OrderRejected",
}
# An event is a notice, not a copy of the order: Event Grid takes 1 MB, a subscriber wants less.
MAX_ERRORS = 10


def outcome_event(
    *,
    order_id: str,
    digest: str,
    status: str,
    attempt: int,
    processed_at: str,
    customer_id: str | None = None,
    totals: Mapping[str, Any] | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The event for an order that was processed or rejected.

    Raises:
        KeyError: the status has no event.
    """
    data: dict[str, Any] = {
        "orderId": order_id,
        "status": status,
        "attempt": attempt,
        "digest": digest,
        "processedAt": processed_at,
    }
    if customer_id is not None:
        data["customerId"] = customer_id
    if totals is not None:
        data["totals"] = {name: value for name, value in totals.items() if name != "lines"}
    if errors:
        data["errorCount"] = len(errors)
        data["errors"] = [dict(error) for error in errors[:MAX_ERRORS]]
    return {
        "specversion": "1.0",
        "id": keys.event_id(order_id, digest, status),
        "source": SOURCE,
        "type": TYPES[status],
        "subject": order_id,
        "time": processed_at,
        "datacontenttype": "application/json",
        "data": data,
    }
