"""Cuts the text of a policy expression into tokens.

The language is the part of C# 7 that section 5.1 of the grammar in `parser.py` needs. What C# has
and the subset lacks (compound assignment, bit operations, `@` names) is refused here by name.
"""

import re
from dataclasses import dataclass

from emulator.apim.expressions.errors import ExpressionError

_OPERATORS = (
    "=>", "?.", "??", "==", "!=", "<=", ">=", "&&", "||",
    "(", ")", "[", "]", "{", "}", ".", ",", ";", ":", "?", "<", ">",
    "+", "-", "*", "/", "%", "!", "=",
)  # fmt: skip
_REFUSED = ("++", "--", "+=", "-=", "*=", "/=", "%=", "??=", "<<", "::", "&", "|", "^", "~", "#")
_SPACE = re.compile(r"\s+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_ESCAPES = {
    "n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
    '"': '"', "'": "'", "\\": "\\",
}  # fmt: skip
_INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class Token:
    """A token.

    Attributes:
        kind: `name`, `int`, `double`, `string`, `char`, `interpolated`, `op` or `end`.
        value: the name, operator or value; of an interpolated string a tuple of literal texts and
            `(tokens)` lists for its holes.
        position: where it starts, counted from 0.
    """

    kind: str
    value: object
    position: int


def tokenize(text: str) -> list[Token]:
    """The tokens of an expression, with an `end` behind them.

    Raises:
        ExpressionError: a character, escape or operator that is not part of the subset.
    """
    tokens: list[Token] = []
    position = 0
    while (position := _skip_blanks(text, position)) < len(text):
        token, position = _next(text, position)
        tokens.append(token)
    tokens.append(Token("end", None, len(text)))
    return tokens


def _skip_blanks(text: str, position: int) -> int:
    while position < len(text):
        if (blank := _SPACE.match(text, position)) is not None:
            position = blank.end()
        elif text.startswith("//", position):
            end = text.find("\n", position)
            if end < 0:
                # In an attribute a line break has become a blank, so the rest would be lost.
                raise ExpressionError("a `//` comment swallows the rest; use /* */", position)
            position = end
        elif text.startswith("/*", position):
            end = text.find("*/", position)
            if end < 0:
                raise ExpressionError("a comment is not closed", position)
            position = end + 2
        else:
            break
    return position


def _next(text: str, start: int) -> tuple[Token, int]:  # noqa: PLR0911 - one for each kind
    char = text[start]
    if (name := _NAME.match(text, start)) is not None:
        return Token("name", name.group(), start), name.end()
    if char.isdecimal():
        return _number(text, start)
    if char == '"':
        value, end = _string(text, start + 1, verbatim=False)
        return Token("string", value, start), end
    if text.startswith('@"', start):
        value, end = _string(text, start + 2, verbatim=True)
        return Token("string", value, start), end
    if text.startswith('$"', start):
        return _interpolated(text, start)
    if char == "'":
        return _char(text, start)
    for refused in _REFUSED:
        if text.startswith(refused, start) and not text.startswith(("&&", "||"), start):
            raise ExpressionError(f"the operator `{refused}` is not supported", start)
    for operator in _OPERATORS:
        # `a ?.5 : b` is a conditional, not a member access.
        if text.startswith(operator, start) and not (
            operator == "?." and text[start + 2 : start + 3].isdecimal()
        ):
            return Token("op", operator, start), start + len(operator)
    raise ExpressionError(f"the character {char!r} has no meaning here", start)


def _number(text: str, start: int) -> tuple[Token, int]:
    match = _NUMBER.match(text, start)
    if match is None:
        raise ExpressionError("a number is written with the digits 0 to 9", start)
    end = match.end()
    if end < len(text) and (text[end].isalnum() or text[end] == "_"):
        raise ExpressionError("number suffixes and other bases are not supported", start)
    literal = match.group()
    if literal.isdecimal():
        if int(literal) > _INT_MAX:
            raise ExpressionError(f"{literal} does not fit an int", start)
        return Token("int", int(literal), start), end
    return Token("double", float(literal), start), end


def _string(text: str, start: int, *, verbatim: bool) -> tuple[str, int]:
    """The value of a string whose opening quote has been read, and the place behind it."""
    parts: list[str] = []
    position = start
    while position < len(text):
        char = text[position]
        if char == '"':
            if verbatim and text.startswith('""', position):
                parts.append('"')
                position += 2
                continue
            return "".join(parts), position + 1
        if char == "\\" and not verbatim:
            value, position = _escape(text, position)
            parts.append(value)
            continue
        if char == "\n" and not verbatim:
            raise ExpressionError('a line break inside "…"; use @"…"', position)
        parts.append(char)
        position += 1
    raise ExpressionError("a string is not closed", start - 1)


def _escape(text: str, position: int) -> tuple[str, int]:
    code = text[position + 1 : position + 2]
    if code in _ESCAPES and code:
        return _ESCAPES[code], position + 2
    if code == "u" and re.fullmatch(r"[0-9A-Fa-f]{4}", text[position + 2 : position + 6]):
        return chr(int(text[position + 2 : position + 6], 16)), position + 6
    raise ExpressionError(f"the escape `\\{code}` is not known", position)


def _char(text: str, start: int) -> tuple[Token, int]:
    value, end = text[start + 1 : start + 2], start + 2
    if value == "\\":
        value, end = _escape(text, start + 1)
    if not value or (value == "'" and end == start + 2) or text[end : end + 1] != "'":
        raise ExpressionError("a char is one character between single quotes", start)
    return Token("char", value, start), end + 1


def _interpolated(text: str, start: int) -> tuple[Token, int]:
    parts: list[object] = []
    literal: list[str] = []
    position = start + 2
    while position < len(text):
        char = text[position]
        if char == '"':
            parts.append("".join(literal))
            return Token("interpolated", tuple(parts), start), position + 1
        if char in "{}" and text.startswith(char * 2, position):
            literal.append(char)
            position += 2
        elif char == "{":
            parts.append("".join(literal))
            literal = []
            hole, position = _hole(text, position + 1)
            parts.append(hole)
        elif char == "}":
            raise ExpressionError('a single `}` inside $"…"; write }}', position)
        elif char == "\\":
            value, position = _escape(text, position)
            literal.append(value)
        else:
            literal.append(char)
            position += 1
    raise ExpressionError("a string is not closed", start)


def _hole(text: str, position: int) -> tuple[list[Token], int]:
    """The tokens of `{…}` inside an interpolated string, and the place behind the brace."""
    tokens: list[Token] = []
    depth = 0
    while (position := _skip_blanks(text, position)) < len(text):
        if text[position] == "}" and depth == 0:
            tokens.append(Token("end", None, position))
            return tokens, position + 1
        token, after = _next(text, position)
        if token.kind == "op":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(str(token.value), 0)
            if token.value in (":", ",") and depth == 0:
                raise ExpressionError(
                    'formats and widths inside $"…" are not supported; use ToString', position
                )
        tokens.append(token)
        position = after
    raise ExpressionError('a `{` inside $"…" is not closed', position)
