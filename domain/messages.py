"""What the body of a queue message is: one order, a batch, a stored order, or none of these.

Only the shape and the id are looked at: an order with faults is still an order, and is refused by
its orchestration, where the refusal is kept and told. What has no usable id cannot have an
orchestration; it stays in the queue until Service Bus dead-letters it. Called by the queue
function, by the one that takes orders over HTTP, and by whoever explains a dead letter.
"""

from dataclasses import dataclass
from typing import Any

from domain.jsontext import NotJson, decode
from domain.order import is_usable_id

# What the member is called that makes an object a batch, or a claim check for a stored order.
BATCH_MEMBER = "orders"
STORED_MEMBER = "storedOrder"
REPLAY_MEMBER = "replayOrder"

# What a queue of Service Bus' Standard tier takes, less room for the properties beside the body.
MAX_BODY_BYTES = 256 * 1024 - 4096
# So that the summary, which may name every order, is no burden to the task hub.
MAX_ORDERS = 10_000

_ID_RULE = "1 to 100 of A-Z a-z 0-9 . _ -, first a letter or a digit"


@dataclass(frozen=True)
class SingleOrder:
    """One order as it was told, faults included; `raw["id"]` is usable."""

    raw: dict[str, Any]


@dataclass(frozen=True)
class OrderBatch:
    """Many orders. `batch_id` is None when the message names none; entries may be anything."""

    batch_id: str | None
    entries: tuple[Any, ...]


@dataclass(frozen=True)
class StoredOrder:
    """A claim check: the item of the container `toprocess` that was too large for a message."""

    item_id: str


@dataclass(frozen=True)
class OrderReplay:
    """Asks for the attempt after `attempt` at an order that failed; made by `replay_body`."""

    order_id: str
    attempt: int
    reason: str
    requested_by: str


@dataclass(frozen=True)
class Unusable:
    """Neither; `code` is stable, `reason` is a sentence for whoever opens the dead letter."""

    code: str
    reason: str


Message = SingleOrder | OrderBatch | StoredOrder | OrderReplay | Unusable


def interpret(body: bytes | str) -> Message:
    """What the body is. Never raises for a body, however broken it is."""
    try:
        value = decode(body)
    except NotJson as error:
        return Unusable("not_json", f"The body is not JSON: {error}.")
    return classify(value)


def classify(value: Any) -> Message:
    """What a JSON value is."""
    if isinstance(value, list):
        return _batch(None, value)
    if not isinstance(value, dict):
        return Unusable("wrong_shape", "The body is JSON, but neither an object nor a list.")
    if BATCH_MEMBER in value:
        return _batch_object(value)
    stored = value.get(STORED_MEMBER)
    if isinstance(stored, str) and stored and len(value) == 1:
        return StoredOrder(stored)
    if len(value) == 1 and isinstance(value.get(REPLAY_MEMBER), dict):
        return _replay(value[REPLAY_MEMBER])
    return _single(value)


def replay_body(order_id: str, attempt: int, reason: str, requested_by: str) -> dict[str, Any]:
    """The body that `OrderReplay` is read from."""
    told = {
        "orderId": order_id,
        "attempt": attempt,
        "reason": reason,
        "requestedBy": requested_by,
    }
    return {REPLAY_MEMBER: told}


def _replay(value: dict[str, Any]) -> Message:
    order_id, attempt = value.get("orderId"), value.get("attempt")
    reason, requested_by = value.get("reason"), value.get("requestedBy")
    if (
        not isinstance(order_id, str)
        or not is_usable_id(order_id)
        or type(attempt) is not int
        or not isinstance(reason, str)
        or not isinstance(requested_by, str)
    ):
        return Unusable("wrong_shape", f"The member '{REPLAY_MEMBER}' does not name an attempt.")
    return OrderReplay(order_id, attempt, reason, requested_by)


def _single(value: dict[str, Any]) -> Message:
    if value.get("id") is None:
        return Unusable("no_id", f"The order has no id ({_ID_RULE}).")
    if not is_usable_id(value["id"]):
        return Unusable("invalid_id", f"The order's id cannot be used ({_ID_RULE}).")
    return SingleOrder(value)


def _batch_object(value: dict[str, Any]) -> Message:
    entries = value[BATCH_MEMBER]
    if not isinstance(entries, list):
        return Unusable("wrong_shape", f"The member '{BATCH_MEMBER}' is not a list.")
    batch_id = value.get("batchId")
    if batch_id is not None and not is_usable_id(batch_id):
        return Unusable("invalid_batch_id", f"The batch's id cannot be used ({_ID_RULE}).")
    return _batch(batch_id, entries)


def _batch(batch_id: str | None, entries: list[Any]) -> Message:
    if not entries:
        return Unusable("empty_batch", "The batch holds no order.")
    if len(entries) > MAX_ORDERS:
        reason = f"{len(entries)} orders; a batch holds {MAX_ORDERS} at most."
        return Unusable("too_many_orders", reason)
    return OrderBatch(batch_id, tuple(entries))
