"""The aggregates that SQLite cannot compute the way the service does.

MIN and MAX run over all primitive types in their order; SUM and AVG are exact in the careful form,
which is used when SQLite's own sum of integers overflows.

Source: specification, section 8.2.
"""

import json
import math
from typing import Any

from emulator.cosmos.sql.operators import NUMBER, STRING, finite, rank
from emulator.cosmos.values import UNDEFINED, dump_plain

NAMES = ("COUNT", "SUM", "MIN", "MAX", "AVG")


def _key(value: Any) -> tuple[int, Any]:
    kind = rank(value)
    return kind, value if kind in (NUMBER, STRING) else 0


class _Extreme:
    """The least or greatest value; undefined where an array or object is among them."""

    is_better: Any

    def __init__(self) -> None:
        self._best: tuple[tuple[int, Any], str] | None = None
        self._is_primitive = True

    def step(self, text: str | None) -> None:
        if text is None or not self._is_primitive:
            return
        value = json.loads(text)
        if rank(value) > STRING:
            self._is_primitive = False
            return
        key = _key(value)
        if self._best is None or self.is_better(key, self._best[0]):
            self._best = key, text

    def finalize(self) -> str | None:
        return self._best[1] if self._best is not None and self._is_primitive else None


class Minimum(_Extreme):
    """MIN."""

    @staticmethod
    def is_better(key: Any, best: Any) -> bool:
        return bool(key < best)


class Maximum(_Extreme):
    """MAX."""

    @staticmethod
    def is_better(key: Any, best: Any) -> bool:
        return bool(key > best)


class _Numbers:
    def __init__(self) -> None:
        self._values: list[Any] = []
        self._is_number = True

    def step(self, text: str | None) -> None:
        if text is None:
            return
        value = json.loads(text)
        if rank(value) == NUMBER:
            self._values.append(value)
        else:
            self._is_number = False

    def _sum(self) -> Any:
        if all(isinstance(value, int) for value in self._values):
            return sum(self._values)
        return math.fsum(self._values)

    def _text(self, value: Any) -> str | None:
        value = finite(value)
        return None if value is UNDEFINED or not self._is_number else dump_plain(value)


class Sum(_Numbers):
    """SUM: undefined where something defined is not a number; 0 of nothing."""

    def finalize(self) -> str | None:
        return self._text(self._sum())


class Average(_Numbers):
    """AVG: undefined where something defined is not a number, and of nothing."""

    def finalize(self) -> str | None:
        return self._text(self._sum() / len(self._values)) if self._values else None


AGGREGATES: dict[str, type] = {"min": Minimum, "max": Maximum, "sum": Sum, "avg": Average}
