"""Reads expressions of the workflow definition language, and texts that hold some.

Pure. An expression is made of literals, function calls and accesses by index or member, each of the
accesses safe (`?`) or not; there are no operators. A text is an expression if it begins with `@`,
has expressions in it as `@{...}`, and means itself otherwise; `@@` stands for `@`.

Source: Logic Apps documentation, "Workflow Definition Language schema", section "Expressions".
"""

import re
from dataclasses import dataclass
from typing import Any

from emulator.logicapp.errors import SyntaxProblem


@dataclass(frozen=True)
class Literal:
    """A value that stands for itself."""

    value: Any


@dataclass(frozen=True)
class Call:
    """A function with its arguments; the name as it was written."""

    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True)
class Access:
    """`target[key]`, or `target?[key]`, which is null where there is nothing."""

    target: "Expression"
    key: "Expression"
    is_safe: bool


Expression = Literal | Call | Access


@dataclass(frozen=True)
class Interpolation:
    """A text with expressions in it."""

    parts: tuple[str | Expression, ...]


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<mark>[()\[\],.?}])
    )""",
    re.VERBOSE,
)
_WORDS = {"true": True, "false": False, "null": None}
# Deeper than anyone nests, and well within Python's own limit.
_DEPTH = 100


class _Reader:
    """A position in a text; tokens are read on demand, so that `}` can end an interpolation."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start
        self._depth = 0
        self.kind = ""
        self.value = ""
        self.start = start
        self.next()

    def next(self) -> None:
        """Read one token; at the end of the text its kind is empty."""
        self.start = self._at
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            rest = self._text[self._at :].strip()
            if rest:
                raise SyntaxProblem(f"'{rest[:20]}' at position {self._at} cannot be read.")
            self.kind, self.value = "", ""
            return
        self.kind = match.lastgroup or ""
        self.value = match.group(self.kind)
        self.start = match.start(self.kind)
        self._at = match.end()

    def expect(self, mark: str) -> None:
        """Read past a mark."""
        if self.value != mark or self.kind != "mark":
            found = f"'{self.value}'" if self.kind else "the end"
            raise SyntaxProblem(f"'{mark}' was expected at position {self.start}, not {found}.")
        self.next()

    def is_mark(self, mark: str) -> bool:
        """Whether this mark is next."""
        return self.kind == "mark" and self.value == mark

    def expression(self) -> Expression:
        """Read an expression."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise SyntaxProblem(f"The expression is nested more than {_DEPTH} levels deep.")
        found = self._primary()
        while self.kind == "mark" and self.value in ("?", "[", "."):
            found = self._access(found)
        self._depth -= 1
        return found

    def _primary(self) -> Expression:
        kind, value, start = self.kind, self.value, self.start
        if kind == "text":
            self.next()
            return Literal(value[1:-1].replace("''", "'"))
        if kind == "number":
            self.next()
            return Literal(int(value) if value.lstrip("-").isdecimal() else float(value))
        if kind != "name":
            found = f"'{value}'" if kind else "the end"
            raise SyntaxProblem(f"An expression was expected at position {start}, not {found}.")
        self.next()
        if self.is_mark("("):
            return Call(value, self._arguments())
        if value.lower() in _WORDS:
            return Literal(_WORDS[value.lower()])
        raise SyntaxProblem(f"'{value}' at position {start} is neither a function nor a value.")

    def _arguments(self) -> tuple[Expression, ...]:
        self.next()
        found: list[Expression] = []
        while found or not self.is_mark(")"):
            found.append(self.expression())
            if not self.is_mark(","):
                break
            self.next()
        self.expect(")")
        return tuple(found)

    def _access(self, target: Expression) -> Expression:
        is_safe = self.is_mark("?")
        if is_safe:
            self.next()
        if self.is_mark("["):
            self.next()
            key = self.expression()
            self.expect("]")
            return Access(target, key, is_safe)
        self.expect(".")
        if self.kind != "name":
            raise SyntaxProblem(f"A member was expected at position {self.start}.")
        name = self.value
        self.next()
        return Access(target, Literal(name), is_safe)


def parse(text: str) -> Expression:
    """Read a whole expression, without its `@`; raises SyntaxProblem."""
    reader = _Reader(text, 0)
    found = reader.expression()
    if reader.kind:
        raise SyntaxProblem(f"'{reader.value}' at position {reader.start} is one thing too many.")
    return found


def parse_text(text: str) -> str | Expression | Interpolation:
    """Read a text of a definition; raises SyntaxProblem."""
    if text.startswith("@") and not text.startswith(("@@", "@{")):
        return parse(text[1:])
    parts: list[str | Expression] = []
    plain = ""
    at = 0
    while at < len(text):
        if text.startswith("@@", at):
            plain, at = plain + "@", at + 2
        elif text.startswith("@{", at):
            if plain:
                parts.append(plain)
            reader = _Reader(text, at + 2)
            parts.append(reader.expression())
            if not reader.is_mark("}"):
                raise SyntaxProblem(f"The '@{{' at position {at} is not closed.")
            plain, at = "", reader.start + 1
        else:
            plain, at = plain + text[at], at + 1
    if not parts:
        return plain
    return Interpolation((*parts, plain) if plain else tuple(parts))


__all__ = ["Access", "Call", "Expression", "Interpolation", "Literal", "parse", "parse_text"]
