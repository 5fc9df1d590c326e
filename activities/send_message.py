"""Sends one message to the queue at once, for a function that goes on while the message is handled.

An output binding sends when its function has returned, which is too late for one that waits for
what becomes of the message. Everything that need not wait uses the binding.
"""

import json
from uuid import uuid4

from activities._bus import session


async def send_message(body: str) -> None:
    """The message is on the queue.

    Its id is new each time: an order that is sent anew after a failure is no duplicate.

    Raises:
        StepError: QUEUE_UNAVAILABLE, and it may be there all the same, or QUEUE_REFUSED.

    Idempotency: none here; an order, or a batch, that comes twice starts once.
    """
    properties = json.dumps({"MessageId": uuid4().hex})
    headers = {"Content-Type": "application/json", "BrokerProperties": properties}
    async with session() as bus:
        await bus.send(body.encode("utf-8"), headers)
