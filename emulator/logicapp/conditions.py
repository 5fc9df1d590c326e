"""Conditions of an `If` action: JSON objects such as `{"and": [{"equals": ["@...", 1]}]}`.

Pure. A condition is compiled when the workflow is loaded, and then asked with evaluated operands.

Source: Logic Apps documentation, "If action".
"""

from collections.abc import Callable
from typing import Any

from emulator.logicapp.errors import ExpressionFailed, InvalidDefinition
from emulator.logicapp.expressions.functions import FUNCTIONS

Condition = Callable[[Any], bool]
# Comparisons that are functions of the language too.
_COMPARISONS = (
    "contains",
    "endsWith",
    "equals",
    "greater",
    "greaterOrEquals",
    "less",
    "lessOrEquals",
    "startsWith",
)


def compile_condition(value: Any, pointer: str) -> Condition:
    """Compile a condition; what it returns is handed the same JSON with its expressions evaluated.

    Raises:
        InvalidDefinition: an operator is unknown, or its operands are not what it takes.
    """
    if isinstance(value, str):
        return _truth
    if not isinstance(value, dict) or len(value) != 1:
        raise InvalidDefinition(pointer, "A condition is an expression or has one operator.")
    ((name, operands),) = value.items()
    place = f"{pointer}/{name}"
    if name == "not":
        inner = compile_condition(operands, place)
        return lambda given: not inner(given[name])
    if name in ("and", "or"):
        return _compile_group(name, operands, place)
    if name not in _COMPARISONS:
        raise InvalidDefinition(place, f"The operator '{name}' is not supported by the emulator.")
    if not isinstance(operands, list) or len(operands) != 2:
        raise InvalidDefinition(place, f"The operator '{name}' takes two operands.")
    compare = FUNCTIONS[name.lower()].call
    return lambda given: bool(compare(*given[name]))


def _compile_group(name: str, operands: Any, pointer: str) -> Condition:
    if not isinstance(operands, list):
        raise InvalidDefinition(pointer, f"The operator '{name}' takes an array of conditions.")
    inner = [compile_condition(each, f"{pointer}/{number}") for number, each in enumerate(operands)]
    combine = all if name == "and" else any
    return lambda given: combine(
        condition(each) for condition, each in zip(inner, given[name], strict=True)
    )


def _truth(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ExpressionFailed("The result of the condition is not a boolean.")
    return value
