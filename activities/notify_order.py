"""`notify_order`: the event that tells an order's outcome, by the Event Grid output binding."""

from typing import Any

import azure.functions as func

from domain.events import outcome_event
from domain.jsontext import encode
from domain.payloads import JsonObject, NotifyInput


async def notify_order(payload: JsonObject, event: func.Out[str]) -> dict[str, Any]:
    """The event is published when this has returned; returns `{"eventId": ...}`.

    Args:
        payload: a `NotifyInput`.

    Idempotency: the event's id is made of order, digest and status, so that whoever receives the
    event of a second call can tell.
    """
    notice = NotifyInput.from_dict(payload)
    told = outcome_event(
        order_id=notice.order_id,
        digest=notice.digest,
        status=notice.status,
        attempt=notice.attempt,
        processed_at=notice.processed_at,
        customer_id=notice.customer_id,
        totals=notice.totals,
        errors=notice.errors,
    )
    event.set(encode(told))
    return {"eventId": told["id"]}
