"""The built-in functions, on Python values with an undefined one.

Pure. Each takes values and answers a value; a wrong type gives undefined. The table at the end says
how many arguments each takes. Aggregates are in `aggregates`; functions of the clock are given
their instant by the compiler.

Source: specification, section 8.1 (the list) and the vendor's page of each function.
"""

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

from emulator.cosmos.errors import query_error
from emulator.cosmos.sql.operators import ARRAY, OBJECT, equal, finite, is_number, rank
from emulator.cosmos.values import UNDEFINED, clean, dump_plain

Function = Callable[..., Any]


def _texts(function: Function) -> Function:
    """All arguments must be strings."""

    def checked(*values: Any) -> Any:
        return function(*values) if all(isinstance(v, str) for v in values) else UNDEFINED

    return checked


def _numbers(function: Function) -> Function:
    """All arguments must be numbers, and the result one that is finite."""

    def checked(*values: Any) -> Any:
        if not all(is_number(value) for value in values):
            return UNDEFINED
        try:
            return finite(function(*values))
        except (ValueError, OverflowError, ZeroDivisionError):
            return UNDEFINED

    return checked


def _compared(test: Callable[[str, str], bool]) -> Function:
    """A test of two strings, with the case ignored where a third argument is true."""

    def function(left: Any, right: Any, ignore_case: Any = False) -> Any:
        if not (isinstance(left, str) and isinstance(right, str)):
            return UNDEFINED
        if not isinstance(ignore_case, bool):
            return UNDEFINED
        if ignore_case:
            left, right = left.lower(), right.lower()
        return test(left, right)

    return function


def _array_contains(array: Any, value: Any, partial: Any = False) -> Any:
    if not isinstance(array, list) or value is UNDEFINED:
        return UNDEFINED
    if partial is True and isinstance(value, dict):
        return any(_holds(element, value) for element in array)
    return any(equal(element, value) for element in array)


def _holds(element: Any, part: dict[str, Any]) -> bool:
    if not isinstance(element, dict):
        return False
    for name, value in part.items():
        own = element.get(name, UNDEFINED)
        if isinstance(value, dict) and isinstance(own, dict):
            if not _holds(own, value):
                return False
        elif equal(own, value) is not True:
            return False
    return True


def _substring(text: Any, start: Any, length: Any) -> Any:
    if not isinstance(text, str) or not is_number(start) or not is_number(length):
        return UNDEFINED
    first, count = max(int(start), 0), max(int(length), 0)
    return text[first : first + count]


def _left(text: Any, count: Any) -> Any:
    if not isinstance(text, str) or not is_number(count):
        return UNDEFINED
    return text[: max(int(count), 0)]


def _right(text: Any, count: Any) -> Any:
    if not isinstance(text, str) or not is_number(count):
        return UNDEFINED
    return text[max(len(text) - max(int(count), 0), 0) :]


def _index_of(text: Any, part: Any, start: Any = 0) -> Any:
    if not (isinstance(text, str) and isinstance(part, str) and is_number(start)):
        return UNDEFINED
    return text.find(part, max(int(start), 0))


_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


@lru_cache(maxsize=256)
def _regex(pattern: str, modifiers: str) -> re.Pattern[str]:
    flags = re.RegexFlag(0)
    for letter in modifiers:
        if letter not in _FLAGS:
            raise query_error("SC2001", f"'{letter}' is not a modifier of REGEXMATCH.")
        flags |= _FLAGS[letter]
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise query_error("SC2001", f"The regular expression is invalid: {error}.") from None


def _regex_match(text: Any, pattern: Any, modifiers: Any = "") -> Any:
    if not all(isinstance(value, str) for value in (text, pattern, modifiers)):
        return UNDEFINED
    return _regex(pattern, modifiers).search(text) is not None


def _to_string(value: Any) -> Any:
    if value is UNDEFINED or isinstance(value, str):
        return value
    return dump_plain(value)


# Room for every digit of the greatest double, and for fifteen behind its point.
_EXACT = Context(prec=340, rounding=ROUND_HALF_UP)


def _round(value: Any, digits: Any = 0) -> Any:
    if not is_number(value) or not is_number(digits) or not -15 <= digits <= 15:
        return UNDEFINED
    if isinstance(value, int) and digits >= 0:
        return value
    step = Decimal(1).scaleb(-int(digits))
    return finite(float(Decimal(repr(value)).quantize(step, context=_EXACT)))


def _sign(value: Any) -> int:
    return int(value > 0) - int(value < 0)


def _power(base: Any, exponent: Any) -> Any:
    return float(base) ** exponent


def _iif(condition: Any, then: Any, otherwise: Any) -> Any:
    return then if condition is True else otherwise


def _is_rank(*ranks: int) -> Function:
    return lambda value: rank(value) in ranks


FUNCTIONS: dict[str, tuple[Function, int, int]] = {
    "IS_DEFINED": (lambda value: value is not UNDEFINED, 1, 1),
    "IS_NULL": (_is_rank(1), 1, 1),
    "IS_BOOL": (_is_rank(2, 3), 1, 1),
    "IS_NUMBER": (_is_rank(4), 1, 1),
    "IS_STRING": (_is_rank(5), 1, 1),
    "IS_ARRAY": (_is_rank(ARRAY), 1, 1),
    "IS_OBJECT": (_is_rank(OBJECT), 1, 1),
    "IS_PRIMITIVE": (_is_rank(1, 2, 3, 4, 5), 1, 1),
    "ARRAY_CONTAINS": (_array_contains, 2, 3),
    "ARRAY_LENGTH": (lambda v: len(v) if isinstance(v, list) else UNDEFINED, 1, 1),
    "STARTSWITH": (_compared(str.startswith), 2, 3),
    "ENDSWITH": (_compared(str.endswith), 2, 3),
    "CONTAINS": (_compared(str.__contains__), 2, 3),
    "STRINGEQUALS": (_compared(str.__eq__), 2, 3),
    "LOWER": (_texts(str.lower), 1, 1),
    "UPPER": (_texts(str.upper), 1, 1),
    "LENGTH": (_texts(len), 1, 1),
    "CONCAT": (_texts(lambda *parts: "".join(parts)), 2, 100),
    "SUBSTRING": (_substring, 3, 3),
    "LEFT": (_left, 2, 2),
    "RIGHT": (_right, 2, 2),
    "TRIM": (_texts(str.strip), 1, 2),
    "LTRIM": (_texts(str.lstrip), 1, 2),
    "RTRIM": (_texts(str.rstrip), 1, 2),
    "REPLACE": (_texts(lambda text, old, new: text.replace(old, new) if old else text), 3, 3),
    "INDEX_OF": (_index_of, 2, 3),
    "REGEXMATCH": (_regex_match, 2, 3),
    "TOSTRING": (lambda value: clean(v) if isinstance(v := _to_string(value), str) else v, 1, 1),
    "ABS": (_numbers(abs), 1, 1),
    "ROUND": (_round, 1, 2),
    "FLOOR": (_numbers(math.floor), 1, 1),
    "CEILING": (_numbers(math.ceil), 1, 1),
    "TRUNC": (_numbers(math.trunc), 1, 1),
    "SQRT": (_numbers(math.sqrt), 1, 1),
    "POWER": (_numbers(_power), 2, 2),
    "SIGN": (_numbers(_sign), 1, 1),
    "IIF": (_iif, 3, 3),
}
"""Name, function, fewest and most arguments."""
