"""Builds the tree of a policy expression.

    block   : "{" stmt* "}"
    stmt    : kind id ["=" expr] ";" | id "=" expr ";" | block | "return" expr ";"
            | "if" "(" expr ")" stmt ["else" stmt] | "foreach" "(" kind id "in" expr ")" stmt
    kind    : "var" | type
    expr    : coal ["?" expr ":" expr]        coal : or ["??" coal]
    cast    : "(" type ")" unary              -- only when `type` is one of the type table
    postfix : primary ( "." id | "?." id | ["<" type,* ">"] "(" args ")" | "[" expr "]" )*
    args    : [name ":"] expr | "out" ["var" | type] id | id "=>" expr
    primary : literal | id | "(" expr ")" | "new" type "(" args ")"
            | "new" [type] "[" "]" "{" expr,* "}"

Binary operators have C#'s precedence. Whatever else C# has is an error that names the place.
"""

from functools import partial

from emulator.apim.expressions import syntax as s
from emulator.apim.expressions.errors import ExpressionError
from emulator.apim.expressions.lexer import Token, tokenize
from emulator.apim.expressions.reader import LITERALS, TokenReader
from emulator.apim.expressions.types import (
    CHAR,
    DOUBLE,
    INT,
    STRING,
    Type,
    alias,
)

# A chain of operators or members is a deep tree, whatever it looks like.
OPERATOR_LIMIT = 100
_LEVELS = (
    ("||",),
    ("&&",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
_PRECEDENCE = {operator: level for level, names in enumerate(_LEVELS) for operator in names}
_KEYWORD_TYPES = {"string", "int", "bool", "double", "char", "object", "byte"}


def parse_expression(text: str) -> s.Node:
    """The tree of what stands between `@(` and `)`."""
    parser = _Parser(tokenize(text))
    node = parser.expression()
    parser.finish()
    return node


def parse_block(text: str) -> s.Block:
    """The tree of what stands between `@{` and `}`."""
    parser = _Parser(tokenize(text))
    statements = []
    while parser.peek().kind != "end":
        statements.append(parser.statement())
    return s.Block(0, tuple(statements))


class _Parser(TokenReader):
    # Statements

    def statement(self) -> s.Node:
        return self._nested(self._statement)

    def _statement(self) -> s.Node:
        position = self.peek().position
        if self._take("{"):
            statements = []
            while not self._take("}"):
                statements.append(self.statement())
            return s.Block(position, tuple(statements))
        if self._take("return"):
            value = self.expression()
            self._expect(";")
            return s.Return(position, value)
        if self._take("if"):
            return self._if(position)
        if self._take("foreach"):
            return self._foreach(position)
        if self.peek().kind == "name" and self._is("=", 1):
            name = self._identifier()
            self._expect("=")
            return s.Assign(position, name, self._terminated())
        return self._declaration(position)

    def _if(self, position: int) -> s.Node:
        self._expect("(")
        condition = self.expression()
        self._expect(")")
        then = self.statement()
        otherwise = self.statement() if self._take("else") else None
        return s.If(position, condition, then, otherwise)

    def _foreach(self, position: int) -> s.Node:
        self._expect("(")
        kind = self._declared_type()
        name = self._identifier()
        self._expect("in")
        source = self.expression()
        self._expect(")")
        return s.Foreach(position, kind, name, source, self.statement())

    def _declaration(self, position: int) -> s.Node:
        kind = self._declared_type()
        name = self._identifier()
        if self._take(";"):
            if kind is None:
                raise ExpressionError("`var` needs a value", position)
            return s.Declare(position, kind, name, None)
        self._expect("=")
        return s.Declare(position, kind, name, self._terminated())

    def _declared_type(self) -> Type | None:
        """`var` (None) or a type."""
        if self._take("var"):
            return None
        kind = self._try_type()
        if kind is None:
            raise self._unexpected("expected a statement")
        return kind

    def _terminated(self) -> s.Node:
        value = self.expression()
        self._expect(";")
        return value

    # Expressions

    def expression(self) -> s.Node:
        return self._nested(self._ternary)

    def _ternary(self) -> s.Node:
        condition = self._coalesce()
        if not self._take("?"):
            return condition
        then = self.expression()
        self._expect(":")
        return s.Ternary(condition.position, condition, then, self.expression())

    def _coalesce(self) -> s.Node:
        left = self._binary(0)
        if self._take("??"):
            return s.Binary(left.position, "??", left, self._nested(self._coalesce))
        return left

    def _binary(self, lowest: int) -> s.Node:
        """A chain of operators that bind at least as tightly as `lowest`."""
        left = self._unary()
        count = 0
        while (level := self._level()) >= lowest:
            token = self.peek()
            self._at += 1
            # A long chain is a deep tree, whatever it looks like.
            count += 1
            if count > OPERATOR_LIMIT:
                message = f"more than {OPERATOR_LIMIT} operators in a row"
                raise ExpressionError(message, token.position)
            right = self._binary(level + 1)
            left = s.Binary(token.position, str(token.value), left, right)
        return left

    def _level(self) -> int:
        token = self.peek()
        return _PRECEDENCE.get(str(token.value), -1) if token.kind == "op" else -1

    def _unary(self) -> s.Node:
        token = self.peek()
        if token.kind == "op" and token.value in ("!", "-"):
            self._at += 1
            return s.Unary(token.position, str(token.value), self._nested(self._unary))
        cast = self._try_cast()
        return cast if cast is not None else self._postfix()

    def _try_cast(self) -> s.Node | None:
        if not self._is("("):
            return None
        start = self._at
        self._at += 1
        kind = self._try_type()
        if kind is None or not self._take(")") or not self._starts_operand(kind):
            self._at = start
            return None
        return s.Cast(self._tokens[start].position, kind, self._nested(self._unary))

    def _starts_operand(self, kind: Type) -> bool:
        token = self.peek()
        if token.kind == "op":
            return token.value in ("(", "!") or (token.value == "-" and kind.name in _KEYWORD_TYPES)
        return token.kind != "end"

    def _postfix(self) -> s.Node:
        return self._tail(self._primary())

    def _tail(self, node: s.Node) -> s.Node:
        for _ in range(OPERATOR_LIMIT):
            position = self.peek().position
            if self._take("."):
                node = self._member(node, position)
            elif self._take("["):
                index = self.expression()
                self._expect("]")
                node = s.Index(position, node, index)
            elif self._take("?."):
                # Everything behind `?.` is skipped when the target is null, as in C#.
                rest = self._nested(partial(self._rest, position))
                return s.Conditional(position, node, rest)
            else:
                return node
        raise ExpressionError(f"more than {OPERATOR_LIMIT} members in a row", self.peek().position)

    def _rest(self, position: int) -> s.Node:
        return self._tail(self._member(s.Receiver(position), position))

    def _member(self, target: s.Node, position: int) -> s.Node:
        member = s.Member(position, target, self._identifier())
        start = self._at
        type_arguments: tuple[Type, ...] = ()
        if self._is("<"):
            type_arguments = self._try_type_arguments() or ()
            if not self._is("("):
                self._at = start
                return member
        if self._take("("):
            return s.Call(position, member, self._arguments(), type_arguments)
        return member

    def _arguments(self) -> tuple[s.Argument, ...]:
        arguments: list[s.Argument] = []
        if self._take(")"):
            return ()
        while True:
            arguments.append(self._argument())
            if self._take(")"):
                return tuple(arguments)
            self._expect(",")

    def _argument(self) -> s.Argument:
        token = self.peek()
        if self._take("out"):
            declares = self._take("var") or (self.peek(1).kind == "name" and bool(self._try_type()))
            return s.Argument(s.Out(token.position, self._identifier(), declares))
        if token.kind == "name" and self._is(":", 1):
            name = self._identifier()
            self._expect(":")
            return s.Argument(self.expression(), name)
        if token.kind == "name" and self._is("=>", 1):
            name = self._identifier()
            self._expect("=>")
            return s.Argument(s.Lambda(token.position, name, self.expression()))
        if self._is("(") and self.peek(1).kind == "name" and self._is(")", 2) and self._is("=>", 3):
            self._at += 1
            name = self._identifier()
            self._at += 2
            return s.Argument(s.Lambda(token.position, name, self.expression()))
        return s.Argument(self.expression())

    def _primary(self) -> s.Node:
        token = self.peek()
        if token.kind in ("int", "double", "string", "char"):
            self._at += 1
            kinds = {"int": INT, "double": DOUBLE, "string": STRING, "char": CHAR}
            return s.Literal(token.position, token.value, kinds[token.kind])
        if token.kind == "interpolated":
            self._at += 1
            return self._interpolated(token)
        if self._take("("):
            node = self.expression()
            self._expect(")")
            return node
        if self._take("new"):
            return self._new(token.position)
        if token.kind == "name" and token.value in LITERALS:
            self._at += 1
            value, kind = LITERALS[str(token.value)]
            return s.Literal(token.position, value, kind)
        return s.Name(token.position, self._identifier())

    def _interpolated(self, token: Token) -> s.Node:
        parts: list[str | s.Node] = []
        assert isinstance(token.value, tuple)
        for part in token.value:
            if isinstance(part, str):
                parts.append(part)
                continue
            inner = _Parser(part, self._depth)
            parts.append(inner.expression())
            inner.finish()
        return s.Interpolated(token.position, tuple(parts))

    def _new(self, position: int) -> s.Node:
        if self._is("[") and self._is("]", 1):
            self._at += 2
            return s.NewArray(position, None, self._items())
        kind = self._try_type()
        if kind is None:
            raise self._unexpected("expected a type that may be created")
        if kind.name == "[]":
            return s.NewArray(position, kind.args[0], self._items())
        self._expect("(")
        return s.New(position, Type(alias(kind.name), kind.args), self._arguments())

    def _items(self) -> tuple[s.Node, ...]:
        self._expect("{")
        items: list[s.Node] = []
        while not self._take("}"):
            items.append(self.expression())
            if not self._take(","):
                self._expect("}")
                break
        return tuple(items)
