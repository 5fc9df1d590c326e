"""JSON as the service stores it: strict in, canonical text out.

Answers what may be stored (finite numbers, limited nesting, text that is Unicode) and how the same
value always becomes the same text, which lets SQLite compare strings, booleans and nulls as text.

Source: specification, sections 4, 6.5 and 8.4. DIFFERS: a number without fraction is stored as an
integer (`1.0` comes back as `1`).
"""

import json
import re
from typing import Any, Final

from emulator.cosmos.errors import bad_request

MAX_NESTING = 128
_MAX_INT, _MIN_INT = 2**63 - 1, -(2**63)
_EXACT = 2.0**53
_SURROGATE = re.compile("[\ud800-\udfff]")


class Undefined:
    """The value of what is not there; null is another one."""

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined()


def number(value: float) -> int | float:
    """A number as it is stored: an integer where nothing is lost by it."""
    if isinstance(value, int):
        return value if _MIN_INT <= value <= _MAX_INT else float(value)
    return int(value) if -_EXACT <= value <= _EXACT and value.is_integer() else value


def _parse_int(text: str) -> int | float:
    if len(text) < 18:
        return int(text)
    try:
        return number(int(text))
    except (ValueError, OverflowError):
        return _parse_float(text)


def _parse_float(text: str) -> int | float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"the number {text[:40]} is too large")
    return number(value)


def _parse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


_decoder = json.JSONDecoder(
    parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_constant
)
_encoder = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
)


def parse(text: bytes | str) -> Any:
    """Read JSON.

    Raises:
        CosmosError: 400 where it is not JSON, holds a number that is not finite, or is nested
            more than 128 deep.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        if text.count("[") + text.count("{") > MAX_NESTING:
            _check_nesting(text)
        value = _decoder.decode(text)
        # Only an escape can bring half a pair in, since the bytes were UTF-8.
        return _clean_deep(value) if "\\ud" in text or "\\uD" in text else value
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise bad_request(
            f"The request payload is invalid. Ensure to provide a valid request payload: {error}."
        ) from None


def _too_deep() -> Exception:
    return bad_request(f"The JSON is nested deeper than the allowed limit of {MAX_NESTING} levels.")


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def _check_nesting(text: str) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        sign = match.group()
        if sign in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise _too_deep()
        elif sign in "]}":
            depth -= 1


def dump(value: Any) -> str:
    """The canonical text: no spaces, no needless escapes, U+FFFD for an unpaired surrogate."""
    text = _encoder.encode(value)
    if text.isascii():
        return text
    return _SURROGATE.sub("\ufffd", text)


def dump_plain(value: Any) -> str:
    """The canonical text of a value that was computed: numbers are made as they are stored."""
    if isinstance(value, float):
        value = number(value)
    return dump(value)


def clean(text: str) -> str:
    """A string as it is stored."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _clean_deep(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_deep(element) for element in value]
    if isinstance(value, dict):
        return {clean(name): _clean_deep(element) for name, element in value.items()}
    return value
