"""From the parser's rules to the tree: one method for each rule of the grammar."""

import re
from typing import Any

from lark import Token, Transformer

from emulator.cosmos.errors import query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.values import UNDEFINED, clean, number

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def _unquote(token: Token) -> str:
    def character(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) == 5:
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, code)

    text = _ESCAPE.sub(character, token[1:-1])
    if not text.isascii():
        # Two escapes may make one character beyond the first plane.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return clean(text)


class Builder(Transformer[Token, Any]):
    """Makes the tree while the parser reads."""

    def start(self, children: list[Any]) -> Any:
        return children[0]

    def query(self, children: list[Any]) -> ast.Query:
        distinct, top, selection, sources, where, group_by, order_by, page = children
        items, is_value = selection
        offset, limit = page or (None, None)
        return ast.Query(
            items=items,
            is_value=is_value,
            is_distinct=distinct is not None,
            top=top,
            sources=sources or (),
            where=where,
            group_by=group_by or (),
            order_by=order_by or (),
            offset=offset,
            limit=limit,
        )

    def distinct(self, _children: list[Any]) -> bool:
        return True

    def top(self, children: list[Any]) -> Any:
        return children[0]

    def count(self, children: list[Token]) -> ast.Expr:
        return ast.Literal(int(children[0]))

    def star(self, _children: list[Any]) -> Any:
        return None, False

    def select_value(self, children: list[Any]) -> Any:
        return (ast.Item(children[0], None),), True

    def select_list(self, children: list[Any]) -> Any:
        return tuple(children), False

    def item(self, children: list[Any]) -> ast.Item:
        expr, alias = children
        return ast.Item(expr, None if alias is None else str(alias))

    def from_(self, children: list[Any]) -> Any:
        return tuple(children)

    def iteration(self, children: list[Any]) -> ast.Source:
        alias, collection = children
        return ast.Source(str(alias), collection, True)

    def whole(self, children: list[Any]) -> ast.Source:
        collection, alias = children
        return ast.Source(None if alias is None else str(alias), collection, False)

    def where(self, children: list[Any]) -> Any:
        return children[0]

    def group_by(self, children: list[Any]) -> Any:
        return tuple(children)

    def order_by(self, children: list[Any]) -> Any:
        return tuple(children)

    def order(self, children: list[Any]) -> ast.Order:
        expr, descending = children
        return ast.Order(expr, bool(descending))

    def ascending(self, _children: list[Any]) -> bool:
        return False

    def descending(self, _children: list[Any]) -> bool:
        return True

    def page(self, children: list[Any]) -> Any:
        return tuple(children)

    def ternary(self, children: list[Any]) -> ast.Expr:
        return ast.Ternary(*children)

    def coalesce(self, children: list[Any]) -> ast.Expr:
        return ast.Logical("??", tuple(children))

    def disjunction(self, children: list[Any]) -> ast.Expr:
        return ast.Logical("OR", tuple(children))

    def conjunction(self, children: list[Any]) -> ast.Expr:
        return ast.Logical("AND", tuple(children))

    def negate(self, children: list[Any]) -> ast.Expr:
        return ast.Unary("NOT", children[0])

    def compare(self, children: list[Any]) -> ast.Expr:
        left, operator, right = children
        return ast.Binary("!=" if operator == "<>" else str(operator), left, right)

    def between(self, children: list[Any]) -> ast.Expr:
        value, negated, low, high = children
        return _negated(negated, ast.Between(value, low, high))

    def contained(self, children: list[Any]) -> ast.Expr:
        value, negated, *choices = children
        return _negated(negated, ast.In(value, tuple(choices)))

    def like(self, children: list[Any]) -> ast.Expr:
        value, negated, pattern, escape = children
        character = None if escape is None else _unquote(escape)
        return _negated(negated, ast.Like(value, pattern, character))

    def binary(self, children: list[Any]) -> ast.Expr:
        left, operator, right = children
        return ast.Binary(str(operator), left, right)

    def unary(self, children: list[Any]) -> ast.Expr:
        operator, operand = children
        if operator == "-" and isinstance(operand, ast.Literal):
            value = operand.value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return ast.Literal(number(-value))
        return ast.Unary(str(operator), operand)

    def name(self, children: list[Token]) -> ast.Expr:
        return ast.Name(str(children[0]), children[0].start_pos or 0)

    def member(self, children: list[Any]) -> ast.Expr:
        return ast.Member(children[0], ast.Literal(str(children[1])))

    def index(self, children: list[Any]) -> ast.Expr:
        return ast.Member(children[0], children[1])

    def call(self, children: list[Any]) -> ast.Expr:
        callee, *arguments = children
        if arguments == [None]:
            arguments = []
        if isinstance(callee, ast.Name):
            name = callee.name
            return ast.Call(name.upper(), tuple(arguments), callee.position, name)
        name = "This expression"
        if isinstance(callee, ast.Member) and isinstance(callee.key, ast.Literal):
            name = f"'{callee.key.value}'"
        raise query_error(
            "SC2005",
            f"{name} is not a recognized built-in function name; user-defined functions "
            "are not supported by this local endpoint.",
        )

    def number(self, children: list[Token]) -> ast.Expr:
        text = str(children[0])
        return ast.Literal(number(int(text) if text.isdigit() else float(text)))

    def string(self, children: list[Token]) -> ast.Expr:
        return ast.Literal(_unquote(children[0]))

    def parameter(self, children: list[Token]) -> ast.Expr:
        return ast.Parameter(str(children[0]))

    def true(self, _children: list[Any]) -> ast.Expr:
        return ast.Literal(True)

    def false(self, _children: list[Any]) -> ast.Expr:
        return ast.Literal(False)

    def null(self, _children: list[Any]) -> ast.Expr:
        return ast.Literal(None)

    def undefined(self, _children: list[Any]) -> ast.Expr:
        return ast.Literal(UNDEFINED)

    def subquery(self, children: list[Any]) -> ast.Expr:
        return ast.Subquery("scalar", children[0])

    def exists(self, children: list[Any]) -> ast.Expr:
        return ast.Subquery("exists", children[0])

    def array_query(self, children: list[Any]) -> ast.Expr:
        return ast.Subquery("array", children[0])

    def array(self, children: list[Any]) -> ast.Expr:
        return ast.ArrayNode(tuple(child for child in children if child is not None))

    def object(self, children: list[Any]) -> ast.Expr:
        return ast.ObjectNode(tuple(child for child in children if child is not None))

    def pair(self, children: list[Any]) -> tuple[str, ast.Expr]:
        key, value = children
        return (_unquote(key) if key.type == "STRING" else str(key)), value


# `from` cannot be the name of a method in a class body.
setattr(Builder, "from", Builder.from_)


def _negated(negation: Any, expr: ast.Expr) -> ast.Expr:
    return expr if negation is None else ast.Unary("NOT", expr)
