"""What the operators mean, on Python values with an undefined one.

Pure. Called by the compiler for constants, and by the functions that SQLite calls back for what it
cannot express itself.

Source: specification, section 8.2. Equality over different types is false rather than undefined,
as the service answers.
"""

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from emulator.cosmos.errors import query_error
from emulator.cosmos.values import UNDEFINED, Undefined, number

NULL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT = 1, 2, 3, 4, 5, 6, 7


def rank(value: Any) -> int:
    """The place of a value's type in the order of all types; undefined comes first."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, str):
        return STRING
    if isinstance(value, list):
        return ARRAY
    return 0 if isinstance(value, Undefined) else OBJECT


def is_number(value: Any) -> bool:
    """Whether it is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_equal(left: Any, right: Any) -> bool:
    kind = rank(left)
    if kind != rank(right):
        return False
    if kind == ARRAY:
        return len(left) == len(right) and all(map(_is_equal, left, right))
    if kind == OBJECT:
        return left.keys() == right.keys() and all(_is_equal(left[k], right[k]) for k in left)
    return bool(left == right)


def equal(left: Any, right: Any) -> Any:
    """`=`, deep for arrays and objects."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    return _is_equal(left, right)


def not_equal(left: Any, right: Any) -> Any:
    """`!=`."""
    result = equal(left, right)
    return result if result is UNDEFINED else not result


def _ordering(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def compare(left: Any, right: Any) -> Any:
        for kind in (bool, str):
            if isinstance(left, kind) and isinstance(right, kind):
                return test(left, right)
        return test(left, right) if is_number(left) and is_number(right) else UNDEFINED

    return compare


def _arithmetic(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def calculate(left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)):
            return UNDEFINED
        return finite(operate(left, right))

    return calculate


def finite(value: Any) -> Any:
    """A computed number as JSON can carry it; undefined where it is none."""
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        return UNDEFINED
    return number(value)


def _divide(left: Any, right: Any) -> Any:
    if right == 0:
        raise query_error("4001", "Division by zero.")
    exact = isinstance(left, int) and isinstance(right, int) and left % right == 0
    return left // right if exact else left / right


def _remainder(left: Any, right: Any) -> Any:
    if right == 0:
        raise query_error("4001", "Division by zero.")
    if isinstance(left, int) and isinstance(right, int):
        return abs(left) % abs(right) * (1 if left >= 0 else -1)
    return math.fmod(left, right)


def _bitwise(operate: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    def calculate(left: Any, right: Any) -> Any:
        if not (_is_whole(left) and _is_whole(right)):
            return UNDEFINED
        return number(operate(int(left), int(right)))

    return calculate


def _is_whole(value: Any) -> bool:
    return is_number(value) and (isinstance(value, int) or value.is_integer())


def _concatenate(left: Any, right: Any) -> Any:
    return left + right if isinstance(left, str) and isinstance(right, str) else UNDEFINED


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "=": equal,
    "!=": not_equal,
    "<": _ordering(lambda a, b: a < b),
    "<=": _ordering(lambda a, b: a <= b),
    ">": _ordering(lambda a, b: a > b),
    ">=": _ordering(lambda a, b: a >= b),
    "+": _arithmetic(lambda a, b: a + b),
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "/": _arithmetic(_divide),
    "%": _arithmetic(_remainder),
    "&": _bitwise(lambda a, b: a & b),
    "|": _bitwise(lambda a, b: a | b),
    "^": _bitwise(lambda a, b: a ^ b),
    "||": _concatenate,
}
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


def unary(operator: str, value: Any) -> Any:
    """`+ - ~` of a number."""
    if operator == "~":
        return number(~int(value)) if _is_whole(value) else UNDEFINED
    if not is_number(value):
        return UNDEFINED
    return number(-value) if operator == "-" else value


def member(value: Any, key: Any) -> Any:
    """`value[key]`: a name of an object, or a place of an array."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, UNDEFINED)
    if isinstance(value, list) and _is_whole(key) and 0 <= key < len(value):
        return value[int(key)]
    return UNDEFINED


def truth(value: Any) -> bool | None:
    """A condition's value: true, false, or None where it is not a boolean."""
    return value if isinstance(value, bool) else None


def like(value: Any, pattern: Any, escape: str | None) -> Any:
    """`value LIKE pattern`."""
    if not (isinstance(value, str) and isinstance(pattern, str)):
        return UNDEFINED
    return like_pattern(pattern, escape).fullmatch(value) is not None


@lru_cache(maxsize=256)
def like_pattern(pattern: str, escape: str | None) -> re.Pattern[str]:
    """The regular expression for a LIKE pattern."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if escape and sign == escape and at < len(pattern):
            parts.append(re.escape(pattern[at]))
            at += 1
        elif sign == "%":
            parts.append(".*")
        elif sign == "_":
            parts.append(".")
        elif sign == "[" and pattern.find("]", at + 1) > 0:
            end = pattern.find("]", at + 1)
            parts.append(_character_class(pattern[at:end]))
            at = end + 1
        else:
            parts.append(re.escape(sign))
    return re.compile("".join(parts), re.DOTALL)


def _character_class(text: str) -> str:
    """The expression for what stands in a class's brackets: characters, and ranges `a-f`."""
    is_negated = text.startswith("^") and len(text) > 1
    found = re.findall(r"(.)-(.)|(.)", text[1:] if is_negated else text, re.DOTALL)
    # A range that runs backwards holds nothing.
    members = "".join(
        re.escape(single) if single else f"{re.escape(first)}-{re.escape(last)}"
        for first, last, single in found
        if single or first <= last
    )
    if not members:
        return "." if is_negated else "(?!)"
    return f"[{'^' if is_negated else ''}{members}]"
