"""What the parser stands on: the tokens, taken one after the other, and the types they spell.

A type is only recognised when it is one of the type table, so that `(a) + b` is not taken for a
cast. Nesting is counted here.
"""

from collections.abc import Callable

from emulator.apim.expressions import syntax as s
from emulator.apim.expressions.errors import ExpressionError
from emulator.apim.expressions.lexer import Token
from emulator.apim.expressions.types import (
    BOOL,
    NULL,
    TYPE_NAMES,
    Type,
    array,
    nullable,
    unqualified,
)

# Beyond it neither a person nor the parser's own stack is served.
DEPTH_LIMIT = 50
LITERALS = {"true": (True, BOOL), "false": (False, BOOL), "null": (None, NULL)}
_REFUSED = frozenset(
    """is as typeof sizeof switch case while do for goto try catch finally throw using lock await
    async checked unchecked default delegate stackalloc ref this base const static nameof dynamic
    break continue yield class struct enum unsafe fixed long float decimal short uint ulong
    ushort sbyte""".split()  # noqa: SIM905 - a list of words
)


class TokenReader:
    """A place in the tokens of an expression."""

    def __init__(self, tokens: list[Token], depth: int = 0) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = depth

    # Tokens

    def peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _is(self, value: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind in ("op", "name") and token.value == value

    def _take(self, value: str) -> bool:
        if self._is(value):
            self._at += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise self._unexpected(f"expected `{value}`")

    def _identifier(self) -> str:
        token = self.peek()
        if token.kind != "name" or token.value in _REFUSED or token.value in LITERALS:
            raise self._unexpected("expected a name")
        self._at += 1
        return str(token.value)

    def _unexpected(self, wanted: str) -> ExpressionError:
        token = self.peek()
        if token.kind == "end":
            return ExpressionError(f"{wanted}, found the end", token.position)
        if token.kind == "name" and token.value in _REFUSED:
            return ExpressionError(f"`{token.value}` is not supported", token.position)
        return ExpressionError(f"{wanted}, found `{token.value}`", token.position)

    def finish(self) -> None:
        if self.peek().kind != "end":
            raise self._unexpected("expected the end")

    def _nested(self, parse: Callable[[], s.Node]) -> s.Node:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise ExpressionError(f"nested deeper than {DEPTH_LIMIT}", self.peek().position)
        try:
            return parse()
        finally:
            self._depth -= 1

    # Types

    def _try_type(self) -> Type | None:
        """A type of the type table; None, with nothing consumed, if there is none."""
        start = self._at
        path = []
        while self.peek().kind == "name" and self.peek().value not in _REFUSED:
            path.append(str(self.peek().value))
            self._at += 1
            if not (self._is(".") and self.peek(1).kind == "name"):
                break
            self._at += 1
        name = unqualified(path) if path else None
        if name is None or name not in TYPE_NAMES:
            self._at = start
            return None
        kind = Type(name)
        if self._is("<"):
            arguments = self._try_type_arguments()
            if arguments is None:
                self._at = start
                return None
            # The only dictionaries of the library are those of headers and queries.
            kind = kind if name == "Headers" else Type(name, arguments)
        return self._suffixed(kind)

    def _suffixed(self, kind: Type) -> Type:
        if self._is("?") and (self._is(")", 1) or self._is("]", 1) or self._is(">", 1)):
            self._at += 1
            kind = nullable(kind)
        while self._is("[") and self._is("]", 1):
            self._at += 2
            kind = array(kind)
        return kind

    def _try_type_arguments(self) -> tuple[Type, ...] | None:
        start = self._at
        self._expect("<")
        arguments = []
        while (kind := self._try_type()) is not None:
            arguments.append(kind)
            if self._take(">"):
                return tuple(arguments)
            if not self._take(","):
                break
        self._at = start
        return None
