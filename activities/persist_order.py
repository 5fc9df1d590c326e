"""`persist_order`: the order's item in the container `processed`."""

from typing import Any

from activities import _store
from activities._settings import settings
from domain.errors import StepError
from domain.items import Write, build_item, decide
from domain.payloads import JsonObject, PersistInput

# Rounds of read, compare and replace before the retry policy takes over.
_MAX_ROUNDS = 5


async def persist_order(payload: JsonObject) -> dict[str, Any]:
    """The item is there; `write` says what this call did to it (`domain.items.Write`).

    Args:
        payload: a `PersistInput`.

    Returns:
        `{"write", "status", "processedAt"}`, the latter two of the item that is there now.

    Raises:
        StepError: ORDER_CONFLICT, another order has the id; or the store does not answer.

    Idempotency: the order's id, its digest and the attempt. A second call finds its own item and
    changes nothing; an earlier attempt never overwrites a later one.
    """
    wanted = PersistInput.from_dict(payload)
    name = settings().processed
    item = build_item(wanted)
    # Most orders are new: one request. Only an id that is taken costs a read.
    if await _store.create(name, item):
        return _result(Write.CREATED, item)
    for _ in range(_MAX_ROUNDS):
        existing = await _store.read(name, item["id"])
        write = decide(existing, wanted)
        if write is Write.CONFLICT:
            raise StepError("ORDER_CONFLICT", f"Another order has the id '{item['id']}'.")
        if write is Write.CREATED and await _store.create(name, item):
            return _result(write, item)
        if existing is not None and write is not Write.CREATED:
            if write is not Write.REPLACED:
                return _result(write, existing)
            if await _store.replace(name, item, existing["_etag"]):
                return _result(write, item)
    raise StepError("STORE_CONTENDED", f"The item '{item['id']}' keeps changing.")


def _result(write: Write, item: dict[str, Any]) -> dict[str, Any]:
    return {"write": write, "status": item["status"], "processedAt": item["processedAt"]}
