"""JSON as it comes from outside: strict where a lenient reader would lose or change something.

Refused, each with its reason: invalid UTF-8, a byte order mark, `NaN` and `Infinity`, a number
beyond what a double can hold, a member told twice, half a surrogate pair, nesting deeper than 64.
Whether the value is an order is for `messages` and `order` to say.
"""

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 64
# More digits than this is no number anybody means; Python itself stops at 4300.
_MAX_INTEGER_DIGITS = 309
_BOM = "\ufeff"


class NotJson(ValueError):
    """The text cannot be read as one JSON value; the text of the error says why."""


def decode(data: bytes | str) -> Any:
    """The one JSON value in `data`.

    Raises:
        NotJson: for every reason of the module's docstring.
    """
    text = _text(data)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except RecursionError:
        raise NotJson(f"nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos}") from None
    if _deeper_than(value, MAX_DEPTH):
        raise NotJson(f"nested deeper than {MAX_DEPTH} levels")
    if "\\u" in text and not _is_unicode(value):
        raise NotJson("half of a surrogate pair")
    return value


def encode(value: Any) -> str:
    """The value as compact JSON text, letters left as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _text(data: bytes | str) -> str:
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotJson(f"not UTF-8 at byte {error.start}") from None
    if data.startswith(_BOM):
        raise NotJson("starts with a byte order mark")
    if not data.strip():
        raise NotJson("empty")
    return data


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise NotJson(f"the member '{twice[:100]}' is told twice")
    return members


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJson("a number is too large")
    return number


def _int(text: str) -> int:
    if len(text) > _MAX_INTEGER_DIGITS:
        raise NotJson("a number is too large")
    return int(text)


def _deeper_than(value: Any, levels: int) -> bool:
    """Whether more than `levels` objects and lists stand in one another."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [inner for inner in layer if isinstance(inner, dict | list)]
        if not layer:
            return False
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return True


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
