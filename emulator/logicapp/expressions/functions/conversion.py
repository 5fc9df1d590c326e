"""Functions that make one type of another.

Pure. Source: Logic Apps documentation, "Reference guide to workflow expression functions".
"""

import base64
import math
import re
from typing import Any
from urllib.parse import quote, unquote

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.functions.registry import (
    FUNCTIONS,
    Function,
    as_number,
    as_text,
    function,
)
from emulator.logicapp.expressions.values import from_base64, from_json, is_number, to_text

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?\s*")
# What `encodeURIComponent` leaves as it is, beside letters and digits.
_UNRESERVED = "-_.!~*'()"


@function("string", 1)
def _string(value: Any) -> str:
    return to_text(value)


@function("json", 1)
def _json(value: Any) -> Any:
    if isinstance(value, dict) and "$content" in value:
        value = from_base64(as_text("json", value["$content"])).decode(errors="replace")
    return from_json(as_text("json", value))


@function("int", 1)
def _int(value: Any) -> int:
    if not isinstance(value, str):
        return int(as_number("int", value))
    if not _WHOLE.fullmatch(value):
        raise ExpressionFailed(f"The function 'int' cannot convert '{value}'.")
    return int(value)


@function("float", 1)
def _float(value: Any) -> float:
    if not isinstance(value, str):
        return float(as_number("float", value))
    number = float(value) if _NUMBER.fullmatch(value) else math.inf
    if not math.isfinite(number):
        raise ExpressionFailed(f"The function 'float' cannot convert '{value}'.")
    return number


@function("bool", 1)
def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if is_number(value):
        return bool(value)
    text = as_text("bool", value).lower()
    if text not in ("true", "false"):
        raise ExpressionFailed(f"The function 'bool' cannot convert '{value}'.")
    return text == "true"


@function("isInt", 1)
def _is_int(value: Any) -> bool:
    return _WHOLE.fullmatch(as_text("isInt", value)) is not None


@function("array", 1)
def _to_array(value: Any) -> list[Any]:
    return [value]


@function("createArray", 1, None)
def _create_array(*values: Any) -> list[Any]:
    return list(values)


@function("coalesce", 1, None)
def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


@function("base64", 1)
def _base64(value: Any) -> str:
    return base64.b64encode(as_text("base64", value).encode()).decode()


@function("base64ToString", 1)
def _base64_to_string(value: Any) -> str:
    # Bytes that are no UTF-8 become U+FFFD, as .NET does it.
    return from_base64(as_text("base64ToString", value)).decode(errors="replace")


FUNCTIONS["decodebase64"] = Function("decodeBase64", 1, 1, _base64_to_string)


@function("encodeUriComponent", 1)
def _encode_uri_component(value: Any) -> str:
    return quote(as_text("encodeUriComponent", value), safe=_UNRESERVED)


FUNCTIONS["uricomponent"] = Function("uriComponent", 1, 1, _encode_uri_component)


@function("decodeUriComponent", 1)
def _decode_uri_component(value: Any) -> str:
    return unquote(as_text("decodeUriComponent", value))


FUNCTIONS["uricomponenttostring"] = Function("uriComponentToString", 1, 1, _decode_uri_component)
