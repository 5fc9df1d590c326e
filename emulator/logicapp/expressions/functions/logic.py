"""Comparisons and logical functions. Arguments are all evaluated before the call.

Pure. Source: Logic Apps documentation, "Reference guide to workflow expression functions".
"""

from typing import Any

from emulator.logicapp.expressions.functions.registry import as_text, as_truth, function
from emulator.logicapp.expressions.values import equal, is_number


@function("if", 3)
def _if(condition: Any, yes: Any, no: Any) -> Any:
    return yes if as_truth("if", condition) else no


@function("and", 1, None)
def _and(*values: Any) -> bool:
    return False not in [as_truth("and", value) for value in values]


@function("or", 1, None)
def _or(*values: Any) -> bool:
    return True in [as_truth("or", value) for value in values]


@function("not", 1)
def _not(value: Any) -> bool:
    return not as_truth("not", value)


@function("equals", 2)
def _equals(one: Any, other: Any) -> bool:
    return equal(one, other)


def _ordered(function: str, one: Any, other: Any) -> tuple[Any, Any]:
    if is_number(one) and is_number(other):
        return one, other
    return as_text(function, one), as_text(function, other)


@function("greater", 2)
def _greater(one: Any, other: Any) -> bool:
    left, right = _ordered("greater", one, other)
    return bool(left > right)


@function("greaterOrEquals", 2)
def _greater_or_equals(one: Any, other: Any) -> bool:
    left, right = _ordered("greaterOrEquals", one, other)
    return bool(left >= right)


@function("less", 2)
def _less(one: Any, other: Any) -> bool:
    left, right = _ordered("less", one, other)
    return bool(left < right)


@function("lessOrEquals", 2)
def _less_or_equals(one: Any, other: Any) -> bool:
    left, right = _ordered("lessOrEquals", one, other)
    return bool(left <= right)
