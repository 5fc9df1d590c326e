"""Members of `string` and `char`, and the static types that make or take texts apart."""

import base64
import binascii
import re
import string
from typing import Any
from urllib.parse import quote, unquote_plus

from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.library.collections import at
from emulator.apim.expressions.library.signatures import function as f
from emulator.apim.expressions.values import (
    Char,
    iterate,
    limited,
    parse_bool,
    parse_double,
    parse_int,
    to_text,
)

_HOLE = re.compile(r"\{\{|\}\}|\{(\d+)\}|[{}]")
# What WebUtility.UrlEncode leaves alone beside letters and digits.
_URL_SAFE = "!()*-._"
_WHITE = string.whitespace + "\x85\xa0"


def _substring(text: str, start: int, length: int | None = None) -> str:
    end = len(text) if length is None else start + length
    if not 0 <= start <= end <= len(text):
        raise ExpressionFailure("Index and length must refer to a location within the string.")
    return text[start:end]


def _replace(text: str, old: str | None, new: str | None) -> str:
    if not old:
        raise ExpressionFailure("String cannot be of zero length.")
    # Checked before it is built: a short text can ask for a very long one.
    if len(text) + text.count(old) * (len(new or "") - len(old)) > 0:
        limited_length(len(text) + text.count(old) * (len(new or "") - len(old)))
    return text.replace(old, new or "")


def limited_length(length: int) -> None:
    """Refuse a text of this length before it is built."""
    if length > 100_000:
        limited("x" * 100_001)


def _pad(text: str, width: int, fill: str = " ", *, left: bool) -> str:
    if width < 0:
        raise ExpressionFailure("Non-negative number required.")
    limited_length(width)
    return text.rjust(width, fill) if left else text.ljust(width, fill)


def _join(separator: str | None, items: Any) -> str:
    return limited((separator or "").join(to_text(item) for item in iterate(items)))


def _format(template: str, *values: Any) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None or int(match[1]) >= len(values):
            raise ExpressionFailure("Input string was not in a correct format.")
        return to_text(values[int(match[1])])

    return limited(_HOLE.sub(fill, template))


def _compare_ignoring_case(left: str | None, right: str | None, comparison: str) -> bool:
    if left is None or right is None:
        return left is right
    return left.upper() == right.upper() if comparison.endswith("IgnoreCase") else left == right


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ExpressionFailure("The input is not a valid Base-64 string.") from error


def _decode(data: bytes) -> str:
    return limited(data.decode("utf-8", "replace"))


def _to_int(value: Any) -> int:
    number = parse_int(value) if isinstance(value, str) else value
    if value is None:
        return 0
    if isinstance(number, float) and abs(number) < 2**31:
        return round(number)
    if not isinstance(number, int):
        raise ExpressionFailure("Input string was not in a correct format.")
    return int(number)


def parsed(reader: Any, text: str | None) -> Any:
    """What `reader` makes of a text; a failure where it makes nothing."""
    value = reader(text)
    if value is None:
        raise ExpressionFailure("Input string was not in a correct format.")
    return value


def tried(reader: Any, text: str | None, default: object) -> tuple[bool, Any]:
    """What `TryParse` returns and sets."""
    value = reader(text)
    return value is not None, default if value is None else value


# One signature, one line.
# ruff: noqa: E501
FUNCTIONS = [
    f("string.Length: int", len),
    f("string.[](int index): char", lambda s, i: Char(at(s, i))),
    f("string.Contains(string value): bool", lambda s, v: v in s),
    f("string.StartsWith(string value): bool", lambda s, v: s.startswith(v)),
    f("string.EndsWith(string value): bool", lambda s, v: s.endswith(v)),
    f("string.IndexOf(string value): int", lambda s, v: s.find(v)),
    f("string.IndexOf(char value): int", lambda s, v: s.find(v)),
    f("string.Substring(int start): string", _substring),
    f("string.Substring(int start, int length): string", _substring),
    f("string.Replace(string old, string new): string", _replace),
    f("string.Replace(char old, char new): string", lambda s, o, n: s.replace(o, n)),
    f("string.Split(params char[] separators): string[]", lambda s, *c: _split(s, "".join(c))),
    f("string.Trim(): string", lambda s: s.strip(_WHITE)),
    f("string.Trim(params char[] trimmed): string", lambda s, *c: s.strip("".join(c))),
    f("string.TrimStart(params char[] trimmed): string", lambda s, *c: s.lstrip("".join(c) or _WHITE)),
    f("string.TrimEnd(params char[] trimmed): string", lambda s, *c: s.rstrip("".join(c) or _WHITE)),
    f("string.ToLower(): string", lambda s: s.lower()),
    f("string.ToUpper(): string", lambda s: s.upper()),
    f("string.ToLowerInvariant(): string", lambda s: s.lower()),
    f("string.ToUpperInvariant(): string", lambda s: s.upper()),
    f("string.Equals(string other): bool", lambda s, o: s == o),
    f("string.Equals(string other, StringComparison how): bool", _compare_ignoring_case),
    f("string.PadLeft(int width): string", lambda s, w: _pad(s, w, left=True)),
    f("string.PadLeft(int width, char fill): string", lambda s, w, c: _pad(s, w, c, left=True)),
    f("string.PadRight(int width): string", lambda s, w: _pad(s, w, left=False)),
    f("string.PadRight(int width, char fill): string", lambda s, w, c: _pad(s, w, c, left=False)),
    f("static StringComparison.Ordinal: StringComparison", lambda: "Ordinal"),
    f("static StringComparison.OrdinalIgnoreCase: StringComparison", lambda: "OrdinalIgnoreCase"),
    f("static string.Empty: string", lambda: ""),
    f("static string.IsNullOrEmpty(string value): bool", lambda v: not v),
    f("static string.IsNullOrWhiteSpace(string value): bool", lambda v: not (v or "").strip(_WHITE)),
    f("static string.Join(string separator, IEnumerable<object> values): string", _join),
    f("static string.Join(string separator, params object[] values): string", lambda s, *v: _join(s, list(v))),
    f("static string.Format(string format, params object[] values): string", _format),
    f("static string.Concat(params object[] values): string", lambda *v: _join("", list(v))),
    f("static string.Equals(string a, string b): bool", lambda a, b: a == b),
    f("static string.Equals(string a, string b, StringComparison how): bool", _compare_ignoring_case),
    f("object.ToString(): string", to_text),
    f("static Convert.ToInt32(object value): int", _to_int),
    f("static Convert.ToString(object value): string", to_text),
    f("static Convert.ToBase64String(byte[] data): string", lambda d: base64.b64encode(d).decode()),
    f("static Convert.FromBase64String(string text): byte[]", _from_base64),
    f("static Uri.EscapeDataString(string text): string", lambda t: limited(quote(t, safe="-._~"))),
    f(
        "static WebUtility.UrlEncode(string text): string",
        lambda t: None if t is None else limited(quote(t, safe=_URL_SAFE + " ").replace(" ", "+")),
    ),
    f("static WebUtility.UrlDecode(string text): string", lambda t: None if t is None else unquote_plus(t)),
    f("static Encoding.UTF8: Encoding", lambda: "utf-8"),
    f("Encoding.GetBytes(string text): byte[]", lambda _, t: t.encode("utf-8", "replace")),
    f("Encoding.GetString(byte[] data): string", lambda _, d: _decode(d)),
    f("static int.Parse(string text): int", lambda t: parsed(parse_int, t)),
    f("static int.TryParse(string text, out int result): bool", lambda t: tried(parse_int, t, 0)),
    f("static bool.Parse(string text): bool", lambda t: parsed(parse_bool, t)),
    f("static bool.TryParse(string text, out bool result): bool", lambda t: tried(parse_bool, t, False)),
    f("static double.Parse(string text): double", lambda t: parsed(parse_double, t)),
    f(
        "static double.TryParse(string text, out double result): bool",
        lambda t: tried(parse_double, t, 0.0),
    ),
]  # fmt: skip


def _split(text: str, separators: str) -> list[str]:
    if not separators:
        return re.split(rf"[{re.escape(_WHITE)}]", text)
    return (
        text.split(separators)
        if len(separators) == 1
        else re.split(f"[{re.escape(separators)}]", text)
    )
