"""`admit_batch`: which orders of a batch run. Reads only."""

from typing import Any

from activities import _store
from activities._settings import settings
from domain.batches import admit
from domain.order import is_usable_id
from domain.payloads import JsonObject


async def admit_batch(payload: JsonObject) -> dict[str, Any]:
    """`{"admitted": [{"index", "digest"}], "settled": [outcome]}`.

    An order that is done already is looked up by its item: an activity does not see the task hub.
    One that runs elsewhere at this moment is admitted; `persist_order` then finds out who is first.

    Args:
        payload: `{"orders": [...]}`, entries as they were told.

    Raises:
        StepError: the store does not answer.
    """
    entries: list[Any] = payload["orders"]
    told = (entry.get("id") for entry in entries if isinstance(entry, dict))
    ids = list(dict.fromkeys(order_id for order_id in told if is_usable_id(order_id)))
    done = await _store.read_many(settings().processed, ids, "c.id, c.digest")
    admission = admit(entries, {item["id"]: item["digest"] for item in done})
    return {
        "admitted": [entry.to_dict() for entry in admission.admitted],
        "settled": [outcome.to_dict() for outcome in admission.settled],
    }
