"""`Regex`: .NET patterns on Python's engine, where the two mean the same; else refused.

DIFFERS: there is no time limit on a match. Patterns come from policy files, which are trusted; the
texts they are tried on are bounded by the header and body limits of the gateway.
"""

import re
from functools import lru_cache
from typing import Any

from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.library.signatures import function as f
from emulator.apim.expressions.values import limited

_GROUP_NAME = re.compile(r"\(\?<([A-Za-z_]\w*)>")
_BACK_REFERENCE = re.compile(r"\\k<([A-Za-z_]\w*)>")
_UNLIKE = re.compile(r"\\[pPGcZ]|\(\?<[A-Za-z_]*-|\(\?'|-\[|\(\?\(")
_SUBSTITUTION = re.compile(r"\$(?:(\$)|(\d+)|\{(\w+)\})|\$")


class RegexMatch:
    """A match, or the failure of one."""

    __slots__ = ("found",)

    def __init__(self, found: re.Match[str] | None) -> None:
        self.found = found

    def group(self, key: str | int) -> "RegexGroup":
        """The group of a number or name; one that failed where there is none."""
        if self.found is None:
            return RegexGroup(None)
        try:
            return RegexGroup(self.found.group(key))
        except IndexError:
            return RegexGroup(None)


class RegexGroup:
    """What a group matched, if it took part."""

    __slots__ = ("text",)

    def __init__(self, text: str | None) -> None:
        self.text = text


@lru_cache(maxsize=256)
def pattern(text: str) -> re.Pattern[str]:
    """A .NET pattern, compiled.

    Raises:
        ExpressionFailure: it is malformed, or uses what the two engines do not share.
    """
    unlike = _UNLIKE.search(text)
    if unlike is not None:
        raise ExpressionFailure(f"The pattern uses {unlike[0]!r}, which is not supported.")
    translated = _BACK_REFERENCE.sub(r"(?P=\1)", _GROUP_NAME.sub(r"(?P<\1>", text))
    try:
        return re.compile(translated.replace(r"\z", r"\Z"))
    except re.error as error:
        raise ExpressionFailure(f"The pattern is malformed: {error}.") from error


def _matches(text: str | None, expression: str) -> bool:
    return pattern(expression).search(_present(text)) is not None


def _present(text: str | None) -> str:
    if text is None:
        raise ExpressionFailure("Value cannot be null.")
    return text


def _replace(text: str | None, expression: str, replacement: str) -> str:
    def expand(match: re.Match[str]) -> str:
        def piece(part: re.Match[str]) -> str:
            if part[1]:
                return "$"
            key: Any = int(part[2]) if part[2] else part[3]
            if key is None:
                return part[0]
            try:
                return match.group(key) or ""
            except IndexError:
                return part[0]

        return _SUBSTITUTION.sub(piece, replacement)

    return limited(pattern(expression).sub(expand, _present(text)))


FUNCTIONS = [
    f("static Regex.IsMatch(string text, string pattern): bool", _matches),
    f(
        "static Regex.Match(string text, string pattern): Match",
        lambda t, p: RegexMatch(pattern(p).search(_present(t))),
    ),
    f("static Regex.Replace(string text, string pattern, string by): string", _replace),
    f("Match.Success: bool", lambda m: m.found is not None),
    f("Match.Value: string", lambda m: m.group(0).text or ""),
    f("Match.Groups: GroupCollection", lambda m: m),
    f("GroupCollection.[](int index): Group", lambda m, k: m.group(k)),
    f("GroupCollection.[](string name): Group", lambda m, k: m.group(k)),
    f("Group.Success: bool", lambda g: g.text is not None),
    f("Group.Value: string", lambda g: g.text or ""),
]
