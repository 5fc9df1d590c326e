"""What a query answers with: the names and expressions of its select list, and how many rows."""

from collections.abc import Sequence

from emulator.cosmos.errors import query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.aggregates import NAMES as AGGREGATES
from emulator.cosmos.sql.expressions import Session


def projection(query: ast.Query) -> tuple[tuple[str, ...], list[ast.Expr]]:
    """The names and expressions of the select list.

    Raises:
        CosmosError: 400 for `*` where it means nothing, and for two equal names.
    """
    if query.items is None:
        if len(query.sources) != 1 or query.group_by:
            raise query_error(
                "SC2030",
                "'SELECT *' is only valid with a single input set.",
            )
        source = query.sources[0]
        return (), [ast.Name(source.alias or own_name(source.collection) or "")]
    names: list[str] = []
    unnamed = 0
    for item in query.items:
        name = item.alias or own_name(item.expr)
        if name is None:
            unnamed += 1
            name = f"${unnamed}"
        names.append(name)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise query_error(
            "SC2011", f"Cannot create two properties of the same name '{twice}' in the result."
        )
    return tuple(names), [item.expr for item in query.items]


def own_name(expr: ast.Expr) -> str | None:
    """The name that an expression has without an alias, if any."""
    if isinstance(expr, ast.Name):
        return expr.name
    if isinstance(expr, ast.Member) and isinstance(expr.key, ast.Literal):
        return expr.key.value if isinstance(expr.key.value, str) else None
    return None


def is_extreme(expressions: Sequence[ast.Expr]) -> bool:
    """Whether the one expression is SUM, AVG, MIN or MAX, for which undefined becomes null."""
    first = expressions[0]
    return isinstance(first, ast.Call) and first.name in AGGREGATES and first.name != "COUNT"


def bounds(query: ast.Query, session: Session) -> tuple[int, int | None]:
    """OFFSET and LIMIT, or TOP."""

    def count(expr: ast.Expr | None, clause: str) -> int | None:
        if expr is None:
            return None
        value = (
            session.parameters.get(expr.name)
            if isinstance(expr, ast.Parameter)
            else expr.value
            if isinstance(expr, ast.Literal)
            else None
        )
        if type(value) is not int or not 0 <= value < 2**31:
            raise query_error("SC2062", f"{clause} must be a non-negative integer.")
        return value

    if query.top is not None and query.offset is not None:
        raise query_error("SC2063", "TOP and OFFSET LIMIT cannot be used together.")
    top, limit = count(query.top, "TOP"), count(query.limit, "LIMIT")
    return count(query.offset, "OFFSET") or 0, top if query.top is not None else limit
