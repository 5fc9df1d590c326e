"""Reads of what has become of orders, and the receipts that bridge the time before.

Not activities: the HTTP and queue functions call these, since all I/O of the app is in this folder.
"""

from collections.abc import Sequence
from typing import Any

from activities import _store
from activities._settings import settings
from domain.paging import Place

Item = dict[str, Any]


async def find_order(order_id: str) -> Item | None:
    """The item of a processed or rejected order, or None."""
    return await _store.read(settings().processed, order_id)


async def latest_orders(limit: int, statuses: Sequence[str], after: Place | None) -> list[Item]:
    """The latest orders first, at most `limit` of them.

    Args:
        statuses: only these; empty for all.
        after: where the page before ended.
    """
    conditions: list[str] = []
    parameters: dict[str, Any] = {"limit": limit}
    if statuses:
        names = [f"status{n}" for n in range(len(statuses))]
        conditions.append(f"c.status IN ({', '.join('@' + name for name in names)})")
        parameters |= dict(zip(names, statuses, strict=True))
    if after is not None:
        conditions.append("c.processedAt <= @at AND NOT ARRAY_CONTAINS(@ids, c.id)")
        parameters |= {"at": after.at, "ids": list(after.ids)}
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    text = f"SELECT TOP @limit * FROM c{where} ORDER BY c.processedAt DESC"  # noqa: S608 - fixed texts
    return await _store.query(settings().processed, text, parameters)


async def orders_of_customer(customer_id: str, limit: int) -> list[Item]:
    """The customer's latest orders first, at most `limit` of them."""
    text = "SELECT TOP @limit * FROM c WHERE c.customerId = @customer ORDER BY c.processedAt DESC"
    parameters = {"limit": limit, "customer": customer_id}
    return await _store.query(settings().processed, text, parameters)


async def count_orders(status: str) -> int:
    """How many orders have this status."""
    text = "SELECT VALUE COUNT(1) FROM c WHERE c.status = @status"
    found: list[Any] = await _store.query(settings().processed, text, {"status": status})
    return sum(found)


async def leave_receipt(item_id: str, digest: str, submitted_at: str) -> Item | None:
    """A receipt is there; returns the earlier one when there was one.

    Idempotency: the id; the first receipt stays until its time is over.
    """
    receipt = {"id": item_id, "kind": "receipt", "digest": digest, "submittedAt": submitted_at}
    if await _store.create(settings().submissions, receipt):
        return None
    return await _store.read(settings().submissions, item_id)


async def find_receipt(item_id: str) -> Item | None:
    """The receipt of an order or a batch, or None."""
    return await _store.read(settings().submissions, item_id)


async def find_stored_order(item_id: str) -> Item | None:
    """The document of the container `toprocess`, or None."""
    return await _store.read(settings().to_process, item_id)


async def probe() -> None:
    """Asks the store for an item that does not exist.

    Raises:
        StepError: the store does not answer.
    """
    await _store.read(settings().processed, "health-probe")
