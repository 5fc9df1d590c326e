"""`enrich_order`: joins an order with reference data and prices it. Reads only."""

import asyncio
from typing import Any

from activities._reference import ReferenceCache, reference
from domain.enrichment import enrich, needed
from domain.errors import StepError
from domain.order import parse_order
from domain.payloads import JsonObject


async def enrich_order(payload: JsonObject) -> dict[str, Any]:
    """`{"enrichment": {...}, "totals": {...}}`, with every fallback marked.

    Args:
        payload: `{"order": {...}}`, an order that `validate_order` found no fault in.

    Raises:
        StepError: the store does not answer, or holds what is no reference data.
    """
    return await enrich_with(reference, payload["order"])


async def enrich_with(cache: ReferenceCache, raw: dict[str, Any]) -> dict[str, Any]:
    """The same, with the reference data of this cache."""
    order, faults = parse_order(raw)
    if order is None:
        raise StepError("PAYLOAD_INVALID", f"The order has {len(faults)} faults.")
    wanted = needed(order)
    items = await asyncio.gather(*(cache.find(kind, ids) for kind, ids in wanted.items()))
    return enrich(order, dict(zip(wanted, items, strict=True)))
