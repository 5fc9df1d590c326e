"""The values of the workflow definition language: JSON's, and what the service calls them.

Pure. DIFFERS: JSON is read strictly; the service's reader also takes single quotes and comments.
"""

import base64
import binascii
import json
from typing import Any

from emulator.logicapp.errors import ExpressionFailed

_NAMES: list[tuple[type, str]] = [
    (bool, "Boolean"),
    (int, "Integer"),
    (float, "Float"),
    (str, "String"),
    (list, "Array"),
    (dict, "Object"),
]


def type_name(value: Any) -> str:
    """The service's word for the value's type."""
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "Null")


def is_number(value: Any) -> bool:
    """Whether it is an integer or a float."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def to_json(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_text(value: Any) -> str:
    """What an interpolation and `string` and `concat` make of a value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return to_json(value)


def from_json(text: str) -> Any:
    """Read JSON.

    Raises:
        ExpressionFailed: it is none; the text names where it stops being JSON.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ExpressionFailed(
            "The template language function 'json' parameter is not valid. The provided value "
            f"cannot be parsed: '{error}'."
        ) from error


def from_base64(text: str) -> bytes:
    """Bytes of a base64 text; raises ExpressionFailed."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ExpressionFailed(
            "The template language function was given a value that is not a valid base64 string."
        ) from error


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: `true` is not 1, and texts are compared case-sensitively."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)
