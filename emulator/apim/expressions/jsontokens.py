"""JSON as policy expressions see it: immutable tokens over plain values.

DIFFERS: a text that looks like a date stays a text (the vendor's library makes a DateTime of it),
and tokens cannot be changed, since the subset of the language has no assignment to members.
"""

import json
from collections.abc import Iterator
from typing import Any

from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.values import int32, limited, parse_double, parse_int, to_text


class JToken:
    """Any JSON value, `null` included."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __str__(self) -> str:
        return self.text(indented=True)

    def text(self, *, indented: bool) -> str:
        """Its JSON; of a plain value the value itself, as the vendor's library does."""
        if not isinstance(self.raw, dict | list):
            return to_text(self.raw)
        if indented:
            # Assumed: the gateway's line ending is that of Windows.
            pretty = json.dumps(self.raw, ensure_ascii=False, indent=2)
            return limited(pretty.replace("\n", "\r\n"))
        return limited(serialize(self))

    def child(self, key: str | int) -> "JToken | None":
        """`token[key]`: null where the member is missing; else what the vendor's library throws."""
        if isinstance(self.raw, dict) and isinstance(key, str):
            return token(self.raw[key]) if key in self.raw else None
        if isinstance(self.raw, list) and isinstance(key, int):
            if not 0 <= key < len(self.raw):
                raise ExpressionFailure("Index was out of range.")
            return token(self.raw[key])
        raise ExpressionFailure(f"Cannot access child value of a JSON value with {key!r}.")

    def select(self, path: str) -> "JToken | None":
        """`SelectToken` of a plain path such as `$.a.b[0]`."""
        found: JToken | None = self
        for step in path.removeprefix("$").replace("[", ".[").split("."):
            if found is None:
                return None
            if step.startswith("["):
                index = parse_int(step[1:-1])
                if index is None or not step.endswith("]"):
                    raise ExpressionFailure(f"The path {path!r} is not a plain one.")
                items = found.raw if isinstance(found.raw, list) else []
                found = token(items[index]) if 0 <= index < len(items) else None
            elif step:
                found = token(found.raw).child(step) if isinstance(found.raw, dict) else None
        return found

    def elements(self) -> Iterator["JToken"]:
        """The elements of an array."""
        if not isinstance(self.raw, list):
            raise ExpressionFailure("The JSON value is not an array.")
        return (token(item) for item in self.raw)


class JObject(JToken):
    """A JSON object."""

    __slots__ = ()


class JArray(JToken):
    """A JSON array."""

    __slots__ = ()


class JValue(JToken):
    """A JSON text, number, boolean or null."""

    __slots__ = ()


class JProperty:
    """A member of an object to be made."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.value = plain(value)


def token(raw: Any) -> JToken:
    """The token of a plain value."""
    if isinstance(raw, dict):
        return JObject(raw)
    return JArray(raw) if isinstance(raw, list) else JValue(raw)


def plain(value: object) -> Any:
    """The JSON value of any value of an expression."""
    if isinstance(value, JToken):
        return value.raw
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return to_text(value)


def parse(text: str | None, wanted: type[JToken] = JToken) -> JToken:
    """The token of a JSON text.

    Raises:
        ExpressionFailure: it is not JSON, or not of the wanted kind.
    """
    try:
        found = token(json.loads(text or "", parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        raise ExpressionFailure(f"Error reading JSON: {error}") from error
    if not isinstance(found, wanted):
        raise ExpressionFailure(f"Error reading {wanted.__name__}: the JSON is of another kind.")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def serialize(value: object) -> str:
    """`JsonConvert.SerializeObject`: no blanks."""
    return limited(json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")))


def to_string(value: JToken | None) -> str | None:
    """`(string)token`."""
    if value is None or value.raw is None:
        return None
    if isinstance(value.raw, dict | list):
        raise ExpressionFailure("Can not convert Object or Array to String.")
    return to_text(value.raw)


def to_int(value: JToken | None) -> int:
    """`(int)token`."""
    raw = value.raw if value is not None else None
    if isinstance(raw, bool):
        return int(raw)
    if isinstance(raw, int) and int32(raw) == raw:
        return raw
    number = parse_int(raw) if isinstance(raw, str) else None
    if isinstance(raw, float) and abs(raw) < 2**31:
        number = round(raw)
    if number is None:
        raise ExpressionFailure(f"Can not convert {raw!r} to Int32.")
    return number


def to_double(value: JToken | None) -> float:
    """`(double)token`."""
    raw = value.raw if value is not None else None
    number = parse_double(raw) if isinstance(raw, str) else raw
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ExpressionFailure(f"Can not convert {raw!r} to Double.")
    return float(number)


def to_bool(value: JToken | None) -> bool:
    """`(bool)token`."""
    raw = value.raw if value is not None else None
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().lower() in ("true", "false"):
        return raw.strip().lower() == "true"
    raise ExpressionFailure(f"Can not convert {raw!r} to Boolean.")
