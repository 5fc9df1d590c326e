"""`validate_order`: every fault of an order. Computes only."""

from typing import Any

from domain.order import parse_order
from domain.payloads import JsonObject


async def validate_order(payload: JsonObject) -> dict[str, Any]:
    """`{"errors": [...]}`, empty for an order without a fault.

    Args:
        payload: `{"order": {...}}`.
    """
    _, faults = parse_order(payload["order"])
    return {"errors": [fault.to_dict() for fault in faults]}
