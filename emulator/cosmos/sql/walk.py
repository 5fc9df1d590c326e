"""Questions about a tree that need to look at all of it."""

from collections.abc import Iterator, Mapping

from emulator.cosmos.sql import ast
from emulator.cosmos.sql.aggregates import NAMES as AGGREGATES


def children(expr: ast.Expr) -> Iterator[ast.Expr]:
    """The expressions directly below; a subquery's are its own."""
    match expr:
        case ast.Member(base, key):
            yield from (base, key)
        case ast.Call(_, arguments):
            yield from arguments
        case ast.Unary(_, operand):
            yield operand
        case ast.Binary(_, left, right):
            yield from (left, right)
        case ast.Logical(_, operands):
            yield from operands
        case ast.Between(value, low, high):
            yield from (value, low, high)
        case ast.In(value, choices):
            yield from (value, *choices)
        case ast.Like(value, pattern):
            yield from (value, pattern)
        case ast.Ternary(condition, then, otherwise):
            yield from (condition, then, otherwise)
        case ast.ObjectNode(pairs):
            yield from (value for _, value in pairs)
        case ast.ArrayNode(elements):
            yield from elements
        case _:
            return


def contains_aggregate(expr: ast.Expr) -> bool:
    """Whether an aggregate function is called in the expression itself."""
    waiting = [expr]
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, ast.Call) and expr.name in AGGREGATES:
            return True
        waiting.extend(children(expr))
    return False


def has_aggregate(query: ast.Query) -> bool:
    """Whether the query's own projection calls an aggregate."""
    return any(contains_aggregate(item.expr) for item in query.items or ())


def root_alias(query: ast.Query) -> str | None:
    """The name by which a query calls whole items, or None where it starts from a part of them."""
    if not query.sources:
        return None
    source = query.sources[0]
    if source.is_iteration or not isinstance(source.collection, ast.Name):
        return None
    return source.alias or source.collection.name


def pinned_values(
    query: ast.Query, parameters: Mapping[str, object], paths: tuple[tuple[str, ...], ...]
) -> list[object] | None:
    """The constants to which WHERE's top-level ANDs pin every path, or None."""
    alias = root_alias(query)
    if query.where is None or alias is None:
        return None
    terms: list[ast.Expr] = [query.where]
    found: dict[tuple[str, ...], object] = {}
    while terms:
        term = terms.pop()
        if isinstance(term, ast.Logical) and term.operator == "AND":
            terms.extend(term.operands)
        elif isinstance(term, ast.Binary) and term.operator == "=":
            for side, other in ((term.left, term.right), (term.right, term.left)):
                path = path_from(side, alias, parameters)
                value = constant(other, parameters)
                if path and value is not None:
                    found.setdefault(path, value[0])
    if not all(path in found for path in paths):
        return None
    return [found[path] for path in paths]


def path_from(
    expr: ast.Expr, alias: str, parameters: Mapping[str, object]
) -> tuple[str, ...] | None:
    """The names of a property's path from an alias, or None where it is no such path."""
    segments: list[str] = []
    while isinstance(expr, ast.Member):
        key = constant(expr.key, parameters)
        if key is None or not isinstance(key[0], str):
            return None
        segments.append(key[0])
        expr = expr.base
    if isinstance(expr, ast.Name) and expr.name == alias:
        return tuple(reversed(segments))
    return None


def constant(expr: ast.Expr, parameters: Mapping[str, object]) -> tuple[object] | None:
    """A scalar that is known before the query runs, in a tuple; None where it is not."""
    if isinstance(expr, ast.Literal):
        value = expr.value
    elif isinstance(expr, ast.Parameter) and expr.name in parameters:
        value = parameters[expr.name]
    else:
        return None
    return (value,) if value is None or isinstance(value, str | int | float | bool) else None
