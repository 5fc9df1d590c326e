"""From the text of a query to its tree.

Trees are cached by text, since an app asks few queries many times. The grammar is loaded at the
first use, or by `warm_up`, because that takes a third of a second.

Source: specification, sections 8.1 and 8.3.
"""

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from emulator.cosmos.errors import CosmosError, query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.values import UNDEFINED, clean, number

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
MAX_QUERY_BYTES = 512 * 1024


def parse_query(text: str) -> ast.Query:
    """The tree of a query.

    Raises:
        CosmosError: 400 with the place where the text is wrong.
    """
    if len(text) > MAX_QUERY_BYTES:
        raise query_error("SC1000", "The SQL query text exceeded the maximum limit of 524288.")
    return _parse(text)


def warm_up() -> None:
    """Load the grammar now rather than at the first query."""
    _lark()


@lru_cache(maxsize=512)
def _parse(text: str) -> ast.Query:
    try:
        tree: Any = _lark().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, CosmosError):
            raise error.orig_exc from None
        raise
    assert isinstance(tree, ast.Query)
    return tree


@cache
def _lark() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar, parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=True
    )


def _syntax_error(text: str, error: UnexpectedInput) -> CosmosError:
    start = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    near = ""
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        near = str(error.token)
    elif isinstance(error, UnexpectedCharacters):
        near = text[start : start + 1]
    if not near:
        start = len(text)
        return query_error("SC1001", "Syntax error, unexpected end of query.", start, start + 1)
    return query_error(
        "SC1001", f"Syntax error, incorrect syntax near '{near}'.", start, start + len(near)
    )


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


class _Builder(Transformer[Token, Any]):
    """Makes the tree while the parser reads; one method for each rule of the grammar."""

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
            return ast.Call(callee.name.upper(), tuple(arguments), callee.position)
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
setattr(_Builder, "from", _Builder.from_)


def _negated(negation: Any, expr: ast.Expr) -> ast.Expr:
    return expr if negation is None else ast.Unary("NOT", expr)
