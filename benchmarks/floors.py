"""What no figure may be worse than, on two cores that do nothing else; so it is a matter of
`make bench` and of no test.

The floors of throughput, latency and the store were set before anything was measured; those of
growth and memory put "linear" and "flat" into numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Floor:
    """A figure's bound: the least it may be, or the most."""

    name: str
    bound: float
    is_least: bool

    def __str__(self) -> str:
        return f"{'at least' if self.is_least else 'at most'} {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether a median is good enough."""
        return value >= self.bound if self.is_least else value <= self.bound


ORDERS_PER_S = 150
P50_MS = 25
FLOORS = {
    floor.name: floor
    for floor in (
        Floor("singles-200: orders per second", ORDERS_PER_S, is_least=True),
        Floor("singles-1000: orders per second", ORDERS_PER_S, is_least=True),
        Floor("singles-5000: orders per second", ORDERS_PER_S, is_least=True),
        Floor("latency: p50", P50_MS, is_least=False),
        # 1 is linear; the rest is what three points of a shared machine spread.
        Floor("batches: growth exponent", 1.1, is_least=False),
        Floor("cosmos: HTTP: upsert, 16 at once", 2000, is_least=True),
        Floor("cosmos: HTTP: latest 50, p50", 5, is_least=False),
        # Flat: of 50,000 orders at most a fifth more than of 10,000.
        Floor("memory: growth from 10000 to 50000", 1.2, is_least=False),
    )
}


def missed(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each figure that is worse than its floor."""
    return [
        f"{figure['name']}: {figure['median']:.4g} {figure['unit']}, the floor is {floor}"
        for figure in figures
        if (floor := FLOORS.get(figure["name"])) is not None and not floor.holds(figure["median"])
    ]
