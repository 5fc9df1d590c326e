"""`ProcessOrders`: a queue message becomes an orchestration, once.

A message that is no order, or contradicts one that is there, raises; Service Bus delivers it again
until it dead-letters it, and blocks no other message meanwhile. When the task hub or the store does
not answer, the message is held a little longer at each delivery before it is given back: Service
Bus itself does not wait between deliveries, and ten of them pass in a second.
"""

import asyncio
import logging
from datetime import UTC, datetime

import azure.functions as func

from activities.orders import find_stored_order
from domain.errors import RETRYABLE, StepError
from domain.items import as_told
from domain.messages import (
    Message,
    OrderBatch,
    OrderReplay,
    SingleOrder,
    StoredOrder,
    Unusable,
    classify,
)
from domain.messages import interpret as interpret_body
from domain.order import instant_text
from domain.payloads import Source
from domain.replay import ReplayRequest, attempt_of, refusal
from triggers._hub import DurableClient, Hub
from triggers._starts import start_batch, start_order
from triggers.replay_orders import start_replay

_log = logging.getLogger("orders.process_orders")
_MAX_HOLD_S = 30


class UnusableMessage(Exception):
    """The message cannot become an orchestration, however often it is delivered."""


async def process_orders(message: func.ServiceBusMessage, client: DurableClient) -> None:
    """The order, or the batch, in the message is in the task hub.

    Raises:
        UnusableMessage: the message is neither.
        Conflict: other content with the same id is running or was completed.
        StepError: the task hub or the store does not answer.
    """
    try:
        await _process(message, Hub(client))
    except StepError as error:
        if RETRYABLE.get(error.code, False):
            hold_s = hold_back_s(message.delivery_count)
            _log.warning("%s; giving the message back in %d s", error, hold_s)
            await asyncio.sleep(hold_s)
        raise


def hold_back_s(delivery_count: int | None) -> int:
    """Seconds before a message is given back that could not be handled this time."""
    earlier_deliveries = min(delivery_count or 1, _MAX_HOLD_S) - 1
    return min(_MAX_HOLD_S, 1 << earlier_deliveries)


async def _process(message: func.ServiceBusMessage, hub: Hub) -> None:
    found = interpret_body(message.get_body())
    if isinstance(found, StoredOrder):
        found = await _stored(found)
    source = source_of(message)
    match found:
        case SingleOrder(raw):
            await start_order(hub, raw, source)
        case OrderBatch(batch_id, entries):
            await start_batch(hub, batch_id or message.message_id, entries, source)
        case OrderReplay():
            await _replay(hub, found)
        case Unusable(code, reason):
            raise UnusableMessage(f"[{code}] {reason}")


async def _replay(hub: Hub, wanted: OrderReplay) -> None:
    run = await hub.order_run(wanted.order_id)
    if run is None:
        raise UnusableMessage(f"[unknown_order] There is no order '{wanted.order_id}' to replay.")
    reason = refusal(run, is_corrected=False)
    if attempt_of(run) > wanted.attempt or reason is not None:
        # Delivered again, or somebody else has seen to it since.
        _log.info("order %s: not replayed, %s", wanted.order_id, reason or "replayed since")
        return
    await start_replay(hub, run, ReplayRequest(wanted.reason, wanted.requested_by))


async def _stored(check: StoredOrder) -> Message:
    document = await find_stored_order(check.item_id)
    if document is None:
        return Unusable("stored_order_gone", f"The stored order '{check.item_id}' is not there.")
    found = classify(as_told(document))
    if isinstance(found, StoredOrder):
        return Unusable("wrong_shape", "A stored order only points to another.")
    return found


def source_of(message: func.ServiceBusMessage) -> Source:
    """Where the order came from, as its item tells it."""
    enqueued: datetime | None = message.enqueued_time_utc
    if enqueued is None:
        return Source(message.message_id)
    # The platform gives UTC without saying so.
    aware = enqueued if enqueued.tzinfo is not None else enqueued.replace(tzinfo=UTC)
    return Source(message.message_id, instant_text(aware))
