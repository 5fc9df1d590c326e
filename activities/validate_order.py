"""`validate_order`: every fault of an order. Computes only."""

from typing import Any

from domain.order import parse_order


def validate_order(payload: dict[str, Any]) -> dict[str, Any]:
    """`{"errors": [...]}`, empty for an order without a fault.

    Args:
        payload: `{"order": {...}}`.
    """
    _, faults = parse_order(payload["order"])
    return {"errors": [fault.to_dict() for fault in faults]}
