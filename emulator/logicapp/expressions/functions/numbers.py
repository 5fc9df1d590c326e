"""Arithmetic: whole numbers stay whole.

Pure. Source: Logic Apps documentation, "Reference guide to workflow expression functions".
"""

import math
from itertools import islice
from typing import Any

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.functions.registry import as_integer, as_number, function

_RANGE_LIMIT = 100_000


@function("add", 2)
def _add(one: Any, other: Any) -> int | float:
    return as_number("add", one) + as_number("add", other)


@function("sub", 2)
def _sub(one: Any, other: Any) -> int | float:
    return as_number("sub", one) - as_number("sub", other)


@function("mul", 2)
def _mul(one: Any, other: Any) -> int | float:
    return as_number("mul", one) * as_number("mul", other)


@function("div", 2)
def _div(one: Any, other: Any) -> int | float:
    left, right = as_number("div", one), as_number("div", other)
    if right == 0:
        raise ExpressionFailed("Attempt to divide an integral or decimal value by zero.")
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


@function("mod", 2)
def _mod(one: Any, other: Any) -> int | float:
    left, right = as_number("mod", one), as_number("mod", other)
    if right == 0:
        raise ExpressionFailed("Attempt to divide an integral or decimal value by zero.")
    remainder = math.fmod(left, right)
    return int(remainder) if isinstance(left, int) and isinstance(right, int) else remainder


@function("min", 1, None)
def _min(*values: Any) -> int | float:
    return min(_numbers("min", values))


@function("max", 1, None)
def _max(*values: Any) -> int | float:
    return max(_numbers("max", values))


def _numbers(function: str, values: tuple[Any, ...]) -> list[int | float]:
    given = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    numbers = [as_number(function, value) for value in given]
    if not numbers:
        raise ExpressionFailed(f"The function '{function}' expects at least one number.")
    return numbers


@function("range", 2)
def _range(start: Any, count: Any) -> list[int]:
    first, length = as_integer("range", start), as_integer("range", count)
    if not 0 <= length <= _RANGE_LIMIT:
        raise ExpressionFailed(
            f"The 'count' of the function 'range' must be from 0 to {_RANGE_LIMIT}."
        )
    return list(islice(range(first, first + length), length))
