"""Reads the Bicep of this repository into a syntax tree.

A third reading beside the two public parsers, because both of those bind `a == b.c` as `(a == b).c`
and so cannot be used to work a template out. Covers what infra/ uses and refuses the rest with file
and line: no multi-line strings, spread, user-defined types or functions, nested child resources.

Called by tests.support.bicep_deploy and by tests/infra. Source: the Bicep grammar as documented.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*|/\*.*?\*/|\#disable-next-line[^\n]*)
      | (?P<newline>\n)
      | (?P<number>\d+)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<mark>=>|==|!=|<=|>=|&&|\|\||\?\?|\.\?|[{}()\[\],:.?=<>+\-*/%!@])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"'": "'", "\\": "\\", "n": "\n", "r": "\r", "t": "\t", "$": "$"}
_BINARY = [
    ("??",),
    ("||",),
    ("&&",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
]


class BicepError(Exception):
    """The text is not what this reader knows of Bicep."""


@dataclass(frozen=True)
class Node:
    """One piece of an expression: `kind` says what the rest means."""

    kind: str
    value: Any = None
    parts: tuple["Node", ...] = ()


@dataclass(frozen=True)
class Declaration:
    """One statement: param, var, resource, module, output, targetScope or extension."""

    kind: str
    name: str
    type: str = ""
    value: Node | None = None
    existing: bool = False
    decorators: tuple[Node, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Template:
    """One file."""

    path: Path
    declarations: tuple[Declaration, ...]

    def of(self, kind: str) -> dict[str, Declaration]:
        return {d.name: d for d in self.declarations if d.kind == kind}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    parts: tuple[Any, ...] = field(default=(), repr=False)


def parse(path: Path) -> Template:
    """Read one file.

    Raises:
        BicepError: the text is not understood; says file and line.
    """
    try:
        tokens = _Lexer(path.read_text(encoding="utf-8")).tokens()
        return Template(path, tuple(_Parser(tokens).statements()))
    except BicepError as error:
        raise BicepError(f"{path.name}: {error}") from error


def walk(node: Node) -> list[Node]:
    """The node and everything below it."""
    return [node, *(below for part in node.parts for below in walk(part))]


class _Lexer:
    def __init__(self, text: str, line: int = 1) -> None:
        self._text, self._line, self._at = text, line, 0

    def tokens(self, until: str | None = None) -> list[_Token]:
        """Tokens up to the end, or to the `}` that closes an interpolation."""
        found: list[_Token] = []
        depth = 0
        while self._at < len(self._text):
            if self._text[self._at] == "'":
                found.append(self._string())
                continue
            match = _TOKEN.match(self._text, self._at)
            if match is None:
                raise BicepError(f"line {self._line}: unexpected {self._text[self._at]!r}")
            kind, text = str(match.lastgroup), match.group()
            depth += (text == "{") - (text == "}")
            if until and depth < 0:
                return [*found, _Token("end", "", self._line)]
            self._at = match.end()
            if kind != "space":
                found.append(_Token(kind, text, self._line))
            self._line += text.count("\n")
        return [*found, _Token("newline", "\n", self._line), _Token("end", "", self._line)]

    def _string(self) -> _Token:
        """A quoted text, with its interpolations already parsed."""
        line, text = self._line, ""
        parts: list[Any] = []
        self._at += 1
        while True:
            rest = self._text[self._at : self._at + 2]
            if not rest or rest[0] == "\n":
                raise BicepError(f"line {line}: a string does not end")
            if rest[0] == "'":
                self._at += 1
                return _Token("string", text, line, (*parts, text))
            if rest[0] == "\\":
                text += _ESCAPES[rest[1]]
                self._at += 2
            elif rest == "${":
                self._at += 2
                inner = _Parser(self.tokens(until="}")).expression()
                self._at += 1
                parts += [text, inner]
                text = ""
            else:
                text += rest[0]
                self._at += 1


class _Parser:
    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    # ---- tokens -------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> _Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _is(self, text: str) -> bool:
        return self._peek().kind != "string" and self._peek().text == text

    def _take(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            token = self._peek()
            raise BicepError(f"line {token.line}: {text!r} expected, found {token.text!r}")

    def _name(self) -> str:
        token = self._next()
        if token.kind != "name":
            raise BicepError(f"line {token.line}: a name expected, found {token.text!r}")
        return token.text

    def _skip_lines(self) -> None:
        while self._peek().kind == "newline":
            self._at += 1

    # ---- statements ---------------------------------------------------------------------------

    def statements(self) -> list[Declaration]:
        found: list[Declaration] = []
        decorators: list[Node] = []
        while True:
            self._skip_lines()
            if self._peek().kind == "end":
                return found
            if self._take("@"):
                decorators.append(self.expression())
                continue
            found.append(self._statement(tuple(decorators)))
            decorators = []
            if self._peek().kind not in ("newline", "end"):
                raise BicepError(f"line {self._peek().line}: a line goes on unexpectedly")

    def _statement(self, decorators: tuple[Node, ...]) -> Declaration:
        line = self._peek().line
        keyword = self._name()
        made: dict[str, Callable[[], Declaration]] = {
            "targetScope": lambda: Declaration("targetScope", "", value=self._assigned()),
            "extension": lambda: Declaration("extension", self._name()),
            "param": self._param,
            "var": lambda: Declaration("var", self._name(), value=self._assigned()),
            "output": lambda: Declaration(
                "output", self._name(), self._name(), value=self._assigned()
            ),
            "resource": lambda: self._deployed("resource"),
            "module": lambda: self._deployed("module"),
        }
        if keyword not in made:
            raise BicepError(f"line {line}: unknown statement {keyword!r}")
        plain = made[keyword]()
        return Declaration(
            plain.kind, plain.name, plain.type, plain.value, plain.existing, decorators, line
        )

    def _assigned(self) -> Node:
        self._expect("=")
        return self.expression()

    def _param(self) -> Declaration:
        name, type_ = self._name(), self._name()
        return Declaration("param", name, type_, self._assigned() if self._is("=") else None)

    def _deployed(self, kind: str) -> Declaration:
        name, type_ = self._name(), self._next()
        if type_.kind != "string":
            raise BicepError(f"line {type_.line}: a type or path expected")
        existing = self._take("existing")
        self._expect("=")
        if self._take("if"):
            condition = self._primary()
            value = Node("if", None, (condition, self._object()))
        else:
            value = self.expression()
        return Declaration(kind, name, type_.text, value, existing)

    # ---- expressions --------------------------------------------------------------------------

    def expression(self) -> Node:
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        yes = self.expression()
        self._expect(":")
        return Node("ternary", None, (condition, yes, self.expression()))

    def _binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek().kind == "mark" and self._peek().text in _BINARY[level]:
            operator = self._next().text
            left = Node("binary", operator, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Node:
        for operator in ("!", "-"):
            if self._take(operator):
                return Node("unary", operator, (self._unary(),))
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._take("!"):
                node = Node("assert", None, (node,))
            elif self._take(".?"):
                node = Node("member", (self._name(), True), (node,))
            elif self._take("."):
                name = self._name()
                node = (
                    Node("call", f".{name}", (node, *self._items("(", ")")))
                    if self._is("(")
                    else Node("member", (name, False), (node,))
                )
            elif self._is("["):
                (index,) = self._items("[", "]")
                node = Node("index", None, (node, index))
            else:
                return node

    def _primary(self) -> Node:
        token = self._peek()
        if token.kind == "string":
            self._at += 1
            parts = tuple(p if isinstance(p, Node) else Node("literal", p) for p in token.parts)
            return parts[0] if len(parts) == 1 else Node("text", None, parts)
        if token.kind == "number":
            return Node("literal", int(self._next().text))
        if self._is("{"):
            return self._object()
        if self._is("["):
            return self._for() if self._peek(1).text == "for" else self._array()
        if self._is("("):
            (inner,) = self._items("(", ")")
            return inner
        return self._named(self._name())

    def _named(self, name: str) -> Node:
        if name in ("true", "false", "null"):
            return Node("literal", {"true": True, "false": False, "null": None}[name])
        if self._is("("):
            return Node("call", name, self._items("(", ")"))
        if self._take("=>"):
            return Node("lambda", name, (self.expression(),))
        return Node("name", name)

    def _items(self, opening: str, closing: str) -> tuple[Node, ...]:
        self._expect(opening)
        found = []
        self._skip_lines()
        while not self._take(closing):
            found.append(self.expression())
            self._take(",")
            self._skip_lines()
        return tuple(found)

    def _array(self) -> Node:
        return Node("array", None, self._items("[", "]"))

    def _object(self) -> Node:
        """Keys and values alternate in `parts`."""
        self._expect("{")
        parts: list[Node] = []
        self._skip_lines()
        while not self._take("}"):
            key = (
                self._primary()
                if self._peek().kind == "string"
                else Node("literal", self._next().text)
            )
            self._expect(":")
            parts += [key, self.expression()]
            self._take(",")
            self._skip_lines()
        return Node("object", None, tuple(parts))

    def _for(self) -> Node:
        """`value` holds the names of item and index; `parts` the source and the body."""
        self._expect("[")
        self._expect("for")
        if self._take("("):
            item = self._name()
            self._expect(",")
            index: str | None = self._name()
            self._expect(")")
        else:
            item, index = self._name(), None
        self._expect("in")
        source = self.expression()
        self._expect(":")
        body = self.expression()
        self._skip_lines()
        self._expect("]")
        return Node("for", (item, index), (source, body))
