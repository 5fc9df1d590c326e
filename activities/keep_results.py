"""`keep_results`: step results of a failed run that its custom status has no room for."""

from typing import Any

from activities import _store
from activities._settings import settings
from domain import keys
from domain.payloads import JsonObject

# As long as the task hub keeps a failed run.
KEPT_S = 30 * 24 * 3600


async def keep_results(payload: JsonObject) -> None:
    """The results are in the container `submissions` for as long as a replay may ask for them.

    Args:
        payload: `{"instanceId": ..., "results": {step: result}}`.

    Raises:
        StepError: the store does not answer.

    Idempotency: the instance; a second call writes the same item.
    """
    await _store.upsert(
        settings().submissions,
        {
            "id": keys.results_item_id(payload["instanceId"]),
            "kind": "results",
            "results": payload["results"],
            "ttl": KEPT_S,
        },
    )


async def kept_results(instance_id: str) -> dict[str, Any] | None:
    """What `keep_results` kept for the instance, or None."""
    item = await _store.read(settings().submissions, keys.results_item_id(instance_id))
    return None if item is None else item["results"]
