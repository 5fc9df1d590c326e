"""Inline route constraints: `{id:int}`, `{name:minlength(2)}`, `{code:regex(^a)}`.

A constraint is a claim about the text of a route value; one that does not hold means that the route
does not match. Pure.

Source: ASP.NET Core's inline constraints. DIFFERS: `datetime` knows ISO 8601 and the invariant
culture's `MM/dd/yyyy [HH:mm[:ss]]`, not everything that .NET's parser guesses.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime

from emulator.host.errors import FunctionInError

Check = Callable[[str], bool]

_INTEGER = re.compile(r"^\s*[+-]?\d+\s*$", re.ASCII)
_DECIMAL = re.compile(r"^\s*[+-]?(\d[\d,]*(\.\d*)?|\.\d+)\s*$", re.ASCII)
_FLOAT = re.compile(r"^\s*[+-]?(\d[\d,]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$", re.ASCII)
_GUID = re.compile(
    r"^\s*([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}|\([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\))\s*$",
    re.IGNORECASE | re.ASCII,
)
_DATE_FORMATS = ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S")
_WITH_ARGUMENTS = re.compile(r"^(?P<name>\w+)\((?P<arguments>.*)\)$", re.DOTALL)


def make_check(text: str) -> Check:
    """The check a constraint's text stands for.

    Raises:
        FunctionInError: there is no such constraint, or its arguments make no sense.
    """
    simple = _SIMPLE.get(text.lower())
    if simple is not None:
        return simple
    found = _WITH_ARGUMENTS.match(text)
    if found is None:
        raise _unknown(text)
    name, arguments = found["name"].lower(), found["arguments"]
    if name == "regex":
        return _regex(arguments)
    make = _WITH_NUMBERS.get((name, arguments.count(",") + 1))
    if make is None:
        raise _unknown(text)
    try:
        return make(*(int(argument) for argument in arguments.split(",")))
    except ValueError as error:
        raise _unknown(text) from error


def _unknown(text: str) -> FunctionInError:
    return FunctionInError(f"The constraint reference '{text}' could not be resolved to a type.")


def _whole(bits: int) -> Check:
    limit = 1 << (bits - 1)

    def check(value: str) -> bool:
        return bool(_INTEGER.match(value)) and -limit <= int(value) < limit

    return check


def _is_datetime(value: str) -> bool:
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return any(_parses(value.strip(), form) for form in _DATE_FORMATS)
    return True


def _parses(value: str, form: str) -> bool:
    try:
        datetime.strptime(value, form)  # noqa: DTZ007 - only whether it is a date is asked
    except ValueError:
        return False
    return True


def _is_float(value: str) -> bool:
    return bool(_FLOAT.match(value)) or value.strip() in ("NaN", "Infinity", "-Infinity")


def _regex(expression: str) -> Check:
    # Braces are doubled in a template because single ones delimit the parameter.
    source = expression.replace("{{", "{").replace("}}", "}")
    try:
        pattern = re.compile(source, re.IGNORECASE)
    except re.error as error:
        raise FunctionInError(
            f"The route constraint regex({expression}) is invalid: {error}."
        ) from error
    return lambda value: pattern.search(value) is not None


def _between(low: float, high: float) -> Check:
    return lambda value: bool(_INTEGER.match(value)) and low <= int(value) <= high


def _length(low: float, high: float) -> Check:
    return lambda value: low <= len(value) <= high


_SIMPLE: dict[str, Check] = {
    "int": _whole(32),
    "long": _whole(64),
    "bool": lambda value: value.strip().lower() in ("true", "false"),
    "datetime": _is_datetime,
    "decimal": lambda value: bool(_DECIMAL.match(value)),
    "double": _is_float,
    "float": _is_float,
    "guid": lambda value: bool(_GUID.match(value)),
    "alpha": lambda value: value == "" or (value.isascii() and value.isalpha()),
    "required": lambda value: value != "",
}
_WITH_NUMBERS: dict[tuple[str, int], Callable[..., Check]] = {
    ("minlength", 1): lambda low: _length(low, math.inf),
    ("maxlength", 1): lambda high: _length(0, high),
    ("length", 1): lambda exact: _length(exact, exact),
    ("length", 2): _length,
    ("min", 1): lambda low: _between(low, math.inf),
    ("max", 1): lambda high: _between(-math.inf, high),
    ("range", 2): _between,
}
