"""Orders for measuring: like the sample day's, as many as wanted, each under its own id."""

import random
from collections.abc import Iterator
from typing import Any

from samples.generate import SEED, make_order


def orders(prefix: str, count: int) -> list[dict[str, Any]]:
    """So many orders with ids `<prefix>-000001` on."""
    return list(_made(prefix, count))


def _made(prefix: str, count: int) -> Iterator[dict[str, Any]]:
    pick = random.Random(SEED)
    for number in range(1, count + 1):
        yield {**make_order(pick, number), "id": f"{prefix}-{number:06d}"}
