"""Values of policy expressions, and what C# does with them where Python would do otherwise.

`int` is a Python int kept in 32 bits, `string` a str, `char` a `Char`, `DateTime` a UTC datetime,
`TimeSpan` a timedelta, `Guid` a UUID, `byte[]` bytes, arrays and lists are lists. JSON is in
`jsontokens.py`.

DIFFERS: a DateTime has microseconds, not ticks of 100 ns.
"""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from multidict import MultiMapping

from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.types import Type

TEXT_LIMIT = 100_000
STEP_LIMIT = 10_000
_INT_TEXT = re.compile(r"\s*[+-]?[0-9]+\s*")
_DOUBLE_TEXT = re.compile(r"\s*[+-]?([0-9][0-9,]*(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
NULL_REFERENCE = "Object reference not set to an instance of an object."


class Char(str):
    """One character; apart from `str` only so that a boxed char is not taken for a string."""

    __slots__ = ()


class Pair:
    """An entry of a dictionary."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: object) -> None:
        self.key = key
        self.value = value


class Frame:
    """One run of one expression: its context, its variables, and the work it has done."""

    __slots__ = ("context", "slots", "steps")

    def __init__(self, context: Any, size: int) -> None:
        self.context = context
        self.slots: list[Any] = [None] * size
        self.steps = 0

    def step(self) -> None:
        """Count a statement or an element; an expression that does not end is stopped."""
        self.steps += 1
        if self.steps > STEP_LIMIT:
            raise ExpressionFailure(f"The expression ran for more than {STEP_LIMIT} steps.")


_DEFAULTS: dict[str, object] = {
    "int": 0,
    "byte": 0,
    "double": 0.0,
    "bool": False,
    "char": Char("\0"),
    "Guid": uuid.UUID(int=0),
    "DateTime": datetime(1, 1, 1, tzinfo=UTC),
    "TimeSpan": timedelta(0),
}


def default_of(kind: Type) -> object:
    """`default(T)`: null, or the zero of a value type."""
    return _DEFAULTS.get(kind.name)


def int32(value: int) -> int:
    """The value as unchecked C# arithmetic leaves it."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def divide(left: Any, right: Any) -> Any:
    """`/` of two ints or two doubles."""
    if isinstance(left, float) or isinstance(right, float):
        return _divide_doubles(float(left), float(right))
    if right == 0:
        raise ExpressionFailure("Attempted to divide by zero.")
    quotient = abs(left) // abs(right)
    return int32(quotient if (left < 0) == (right < 0) else -quotient)


def _divide_doubles(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or left != left:  # noqa: PLR0124 - NaN is what differs from itself
        return float("nan")
    return float("inf") if left > 0 else float("-inf")


def remainder(left: Any, right: Any) -> Any:
    """`%`, which keeps the sign of the left side."""
    if right == 0:
        if isinstance(left, float) or isinstance(right, float):
            return float("nan")
        raise ExpressionFailure("Attempted to divide by zero.")
    if isinstance(left, float) or isinstance(right, float):
        return float(left) - float(right) * int(float(left) / float(right))
    return abs(left) % abs(right) * (-1 if left < 0 else 1)


def limited(text: str) -> str:
    """The text, if it is not longer than an expression may build."""
    if len(text) > TEXT_LIMIT:
        raise ExpressionFailure(f"A text grew beyond {TEXT_LIMIT} characters.")
    return text


def to_text(value: object) -> str:  # noqa: PLR0911 - one line for each type
    """`ToString()` in the invariant culture; null gives the empty string."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float):
        return _double_text(value)
    if isinstance(value, datetime):
        return value.strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, timedelta):
        return _span_text(value)
    if isinstance(value, bytes):
        return "System.Byte[]"
    if isinstance(value, list):
        return "System.String[]"
    return str(value)


def _double_text(value: float) -> str:
    if value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return re.sub(r"e([+-])(\d+)", lambda m: f"E{m[1]}{m[2]:0>2}", repr(value))


def _span_text(value: timedelta) -> str:
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{value.days}." if value.days else ""
    fraction = f".{value.microseconds:06}0" if value.microseconds else ""
    return f"{sign}{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}"


def parse_int(text: str | None) -> int | None:
    """What `int.Parse` reads; None if it would throw."""
    if text is None or _INT_TEXT.fullmatch(text) is None:
        return None
    value = int(text) if len(text) < 100 else int(text.strip()[:100])
    return value if -(2**31) <= value < 2**31 else None


def parse_double(text: str | None) -> float | None:
    """What `double.Parse` reads; None if it would throw."""
    if text is None or _DOUBLE_TEXT.fullmatch(text) is None:
        return None
    return float(text.replace(",", ""))


def parse_bool(text: str | None) -> bool | None:
    """What `bool.Parse` reads; None if it would throw."""
    return {"true": True, "false": False}.get((text or "").strip().lower())


def parse_guid(text: str | None) -> uuid.UUID | None:
    """What `Guid.Parse` reads of the usual forms; None if it would throw."""
    plain = (text or "").strip().strip("{}()")
    if re.fullmatch(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", plain) is None:
        return None
    return uuid.UUID(plain)


def iterate(value: object) -> Iterator[Any]:
    """The elements of whatever may be enumerated."""
    if value is None:
        raise ExpressionFailure(NULL_REFERENCE)
    if isinstance(value, str):
        return (Char(char) for char in value)
    if isinstance(value, MultiMapping):
        return (Pair(name, value.getall(name)) for name in dict.fromkeys(value))
    if isinstance(value, bytes | list):
        return iter(value)
    elements: Iterator[Any] = value.elements()  # type: ignore[attr-defined]  # a JSON array
    return elements
