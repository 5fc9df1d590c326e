"""`queue_replays`: replay messages for some orders, by the Service Bus output binding."""

import azure.functions as func

from domain.jsontext import encode
from domain.messages import replay_body
from domain.payloads import JsonObject, ReplayFailedInput


def queue_replays(payload: JsonObject, messages: func.Out[str]) -> int:
    """The messages are on the queue when this has returned; returns how many.

    Args:
        payload: a `ReplayFailedInput` that holds the orders of this call.

    Idempotency: a message names the attempt that it replays, so that a second one finds a later
    attempt and does nothing.
    """
    given = ReplayFailedInput.from_dict(payload)
    bodies = [
        encode(replay_body(order.order_id, order.attempt, given.reason, given.requested_by))
        for order in given.orders
    ]
    messages.set(bodies)  # type: ignore[arg-type]
    return len(bodies)
