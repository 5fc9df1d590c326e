"""Binding expressions: `{name}`, `{body.part}`, `{when:yyyy-MM}` and the built-in ones.

They are put in at each invocation from the trigger's binding data, for input and output bindings.
Names are compared ignoring case. Pure but for the two built-ins that mean "new" and "now".

Source: binding expression patterns of the Functions reference.
"""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emulator.host.errors import FunctionInError, MissingBindingValue

_EXPRESSION = re.compile(r"\{([^{}]+)\}")
_NET_FORMAT = re.compile(r"yyyy|yy|MM|dd|HH|hh|mm|ss|fff|K|zzz")
_NET_TO_PYTHON = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
}


def has_expression(text: str) -> bool:
    """Whether anything is left to put in at an invocation."""
    return _EXPRESSION.search(text) is not None


def check_expression(text: str) -> None:
    """Refuse text whose braces do not pair.

    Raises:
        FunctionInError: a brace is not closed or not opened.
    """
    rest = _EXPRESSION.sub("", text)
    if "{" in rest or "}" in rest:
        raise FunctionInError(f"Invalid template '{text}': a curly brace has no partner.")


def bind(text: str, data: Mapping[str, Any], *, function: str, now: datetime) -> str:
    """Put values in the place of a text's expressions.

    Args:
        data: binding data; values that are texts of JSON objects can be looked into by a dot.
        function: for `{sys.methodname}`.
        now: for `{DateTime}` and `{sys.utcnow}`.
    Raises:
        MissingBindingValue: the data has no value of a name.
    """
    return _EXPRESSION.sub(lambda found: _value(found[1], data, function, now), text)


def _value(expression: str, data: Mapping[str, Any], function: str, now: datetime) -> str:
    name, _, form = expression.partition(":")
    found = _look_up(name.strip(), data)
    if found is None:
        found = _built_in(name.strip().lower(), function, now)
    if found is None:
        raise MissingBindingValue(name.strip())
    return _formatted(found, form)


def _look_up(name: str, data: Mapping[str, Any]) -> Any:
    value: Any = data
    for part in name.split("."):
        if isinstance(value, str):
            value = _object_of(value)
        if not isinstance(value, Mapping):
            return None
        value = next((value[key] for key in value if key.lower() == part.lower()), None)
    return value


def _object_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _built_in(name: str, function: str, now: datetime) -> Any:
    if name in ("rand-guid", "sys.randguid"):
        return str(uuid.uuid4())
    if name in ("datetime", "sys.utcnow"):
        return now
    return function if name == "sys.methodname" else None


def _formatted(value: Any, form: str) -> str:
    if isinstance(value, str) and form:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return str(value)
    if isinstance(value, datetime):
        return _format_date(value, form or "yyyy-MM-ddTHH-mm-ssK")
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, str):
        return str(value)
    return json.dumps(value, separators=(",", ":"))


def _format_date(value: datetime, form: str) -> str:
    def part(found: re.Match[str]) -> str:
        symbol = found[0]
        if symbol == "fff":
            return f"{value.microsecond // 1000:03d}"
        if symbol in ("K", "zzz"):
            offset = value.strftime("%z")
            zulu = symbol == "K" and offset == "+0000"
            return "Z" if zulu else f"{offset[:3]}:{offset[3:5]}" if offset else ""
        return value.strftime(_NET_TO_PYTHON[symbol])

    return _NET_FORMAT.sub(part, form)
