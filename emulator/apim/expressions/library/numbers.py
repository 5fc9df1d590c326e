"""`Math`, `Guid`, `DateTime` and `TimeSpan`."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.library.signatures import function as f
from emulator.apim.expressions.library.text import parsed, tried
from emulator.apim.expressions.types import DATE_TIME, GUID
from emulator.apim.expressions.values import default_of, int32, parse_guid, to_text

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_PIECES: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda d: f"{d.year:04}",
    "yy": lambda d: f"{d.year % 100:02}",
    "MMMM": lambda d: _MONTHS[d.month - 1],
    "MMM": lambda d: _MONTHS[d.month - 1][:3],
    "MM": lambda d: f"{d.month:02}",
    "M": lambda d: str(d.month),
    "dddd": lambda d: _DAYS[d.weekday()],
    "ddd": lambda d: _DAYS[d.weekday()][:3],
    "dd": lambda d: f"{d.day:02}",
    "d": lambda d: str(d.day),
    "HH": lambda d: f"{d.hour:02}",
    "H": lambda d: str(d.hour),
    "mm": lambda d: f"{d.minute:02}",
    "m": lambda d: str(d.minute),
    "ss": lambda d: f"{d.second:02}",
    "s": lambda d: str(d.second),
    "K": lambda _: "Z",
    **{"f" * n: lambda d, n=n: f"{d.microsecond:06}0"[:n] for n in range(1, 8)},  # type: ignore[misc]  # the default binds n
}
_TOKEN = re.compile(r"'([^']*)'|\\(.)|([A-Za-z])\3*|([^A-Za-z'\\])")
_STANDARD = {
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "o": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "O": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
}
_MAX_SECONDS = 9_999 * 366 * 86_400


def format_date(value: datetime, form: str) -> str:
    """`DateTime.ToString(format)` in the invariant culture."""
    form = _STANDARD.get(form, form)
    parts, position = [], 0
    while position < len(form):
        match = _TOKEN.match(form, position)
        piece = _PIECES.get(match[0]) if match is not None else None
        if match is None or (match[3] and piece is None):
            raise ExpressionFailure(f"The date format {form!r} is not supported.")
        parts.append(piece(value) if piece else match[1] or match[2] or match[4] or "")
        position = match.end()
    return "".join(parts)


def parse_date(text: str | None) -> datetime | None:
    """What `DateTime.Parse` reads of ISO 8601 and RFC 1123 forms; None if it would throw."""
    for read in (datetime.fromisoformat, _rfc1123):
        try:
            value = read((text or "").strip())
        except ValueError:
            continue
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return None


def _rfc1123(text: str) -> datetime:
    return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


def span(amount: float, unit: float) -> timedelta:
    """A TimeSpan of so many units of so many seconds."""
    if not abs(amount * unit) < _MAX_SECONDS:
        raise ExpressionFailure("TimeSpan overflowed because the duration is too long.")
    return timedelta(seconds=amount * unit)


def add(value: datetime, by: timedelta) -> datetime:
    """`value + by`."""
    try:
        return value + by
    except OverflowError as error:
        raise ExpressionFailure("The added or subtracted value is out of range.") from error


def _absolute(value: Any) -> Any:
    if value == -(2**31):
        raise ExpressionFailure("Negating the minimum value of a number is invalid.")
    return abs(value)


def _number_text(value: float, form: str) -> str:
    """The numeric formats that policies use: `F2`, `D3`, `0`."""
    if re.fullmatch(r"[Ff]\d{0,2}", form):
        return f"{value:.{int(form[1:] or 2)}f}"
    if re.fullmatch(r"[Dd]\d{0,2}", form) and isinstance(value, int):
        return f"{'-' if value < 0 else ''}{abs(value):0{int(form[1:] or 1)}}"
    if form in ("", "G", "g"):
        return to_text(int32(value) if isinstance(value, int) else value)
    raise ExpressionFailure(f"The number format {form!r} is not supported.")


_UNITS = {
    "Days": 86_400.0,
    "Hours": 3_600.0,
    "Minutes": 60.0,
    "Seconds": 1.0,
    "Milliseconds": 0.001,
}


def _unit_functions() -> list[Any]:
    made = []
    for name, unit in _UNITS.items():
        made += [
            f(
                f"DateTime.Add{name}(double amount): DateTime",
                lambda d, a, u=unit: add(d, span(a, u)),
            ),
            f(f"static TimeSpan.From{name}(double amount): TimeSpan", lambda a, u=unit: span(a, u)),
            f(f"TimeSpan.Total{name}: double", lambda t, u=unit: t.total_seconds() / u),
        ]
    return made


FUNCTIONS = [
    *(
        f(f"static Math.{name}({kind} a, {kind} b): {kind}", call)
        for kind in ("int", "double")
        for name, call in (("Min", min), ("Max", max))
    ),
    f("static Math.Abs(int value): int", _absolute),
    f("static Math.Abs(double value): double", _absolute),
    f("static Math.Floor(double value): double", lambda v: float(v // 1)),
    f("static Math.Ceiling(double value): double", lambda v: float(-(-v // 1))),
    # .NET and Python both round halves to even.
    f("static Math.Round(double value): double", lambda v: float(round(v))),
    f("static Math.Round(double value, int digits): double", lambda v, d: float(round(v, d))),
    f("static Guid.NewGuid(): Guid", uuid.uuid4),
    f("static Guid.Empty: Guid", lambda: default_of(GUID)),
    f("static Guid.Parse(string text): Guid", lambda t: parsed(parse_guid, t)),
    f(
        "static Guid.TryParse(string text, out Guid result): bool",
        lambda t: tried(parse_guid, t, default_of(GUID)),
    ),
    f("static DateTime.UtcNow: DateTime", lambda frame: frame.context.now(), framed=True),
    f("static DateTime.Parse(string text): DateTime", lambda t: parsed(parse_date, t)),
    f(
        "static DateTime.TryParse(string text, out DateTime result): bool",
        lambda t: tried(parse_date, t, default_of(DATE_TIME)),
    ),
    f("DateTime.ToString(string format): string", format_date),
    f("DateTime.Add(TimeSpan value): DateTime", add),
    *(
        f(f"DateTime.{name.title()}: int", lambda d, n=name: getattr(d, n))
        for name in ("year", "month", "day", "hour", "minute", "second")
    ),
    *_unit_functions(),
    f("double.ToString(string format): string", _number_text),
    f("int.ToString(string format): string", _number_text),
]
