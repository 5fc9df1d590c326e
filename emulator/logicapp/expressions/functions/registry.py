"""What a function of the language is, the table of them, and how arguments are held to a type.

Pure. Used by the modules beside it, which fill the table, and by `evaluate`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.values import is_number, type_name


@dataclass(frozen=True)
class Function:
    """A function of the language; `most` None is any number of arguments."""

    name: str
    least: int
    most: int | None
    call: Callable[..., Any]


FUNCTIONS: dict[str, Function] = {}


def function(
    name: str, least: int, most: int | None = -1
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put what follows into the table under the service's name and number of arguments."""

    def register(call: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[name.lower()] = Function(name, least, least if most == -1 else most, call)
        return call

    return register


def mismatch(function: str, expected: str, value: Any) -> ExpressionFailed:
    """The refusal of a value of the wrong type."""
    return ExpressionFailed(
        f"The template language function '{function}' expects {expected}. The provided value is of "
        f"type '{type_name(value)}'."
    )


def as_text(function: str, value: Any) -> str:
    """The value as a text; raises ExpressionFailed."""
    if not isinstance(value, str):
        raise mismatch(function, "a string", value)
    return value


def as_number(function: str, value: Any) -> int | float:
    """The value as a number."""
    if not is_number(value):
        raise mismatch(function, "a number", value)
    return value  # type: ignore[no-any-return]


def as_integer(function: str, value: Any) -> int:
    """The value as a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise mismatch(function, "an integer", value)
    return value


def as_array(function: str, value: Any) -> list[Any]:
    """The value as an array."""
    if not isinstance(value, list):
        raise mismatch(function, "an array", value)
    return value


def as_object(function: str, value: Any) -> dict[str, Any]:
    """The value as an object."""
    if not isinstance(value, dict):
        raise mismatch(function, "an object", value)
    return value


def as_truth(function: str, value: Any) -> bool:
    """The value as a boolean."""
    if not isinstance(value, bool):
        raise mismatch(function, "a boolean", value)
    return value
