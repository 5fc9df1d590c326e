"""Aggregates, GROUP BY, DISTINCT and ORDER BY.

DISTINCT is a grouping by everything that is selected. Groups are told apart by the text of their
keys, which is only right where no key is an array or object; a careful session takes a slower form
that always is.

Source: specification, section 8.2.
"""

from emulator.cosmos.errors import query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.aggregates import NAMES as AGGREGATES
from emulator.cosmos.sql.expressions import Expressions, Session
from emulator.cosmos.sql.operands import Const, Document, Json, Operand, PathOperand, Typed
from emulator.cosmos.sql.statement import Parts
from emulator.cosmos.sql.walk import contains_aggregate
from emulator.cosmos.values import UNDEFINED


def result_compiler(query: ast.Query, parts: Parts, session: Session) -> Expressions:
    """What compiles projections and ORDER BY: with aggregates where there are some."""
    plain = Expressions(session, parts.scope)
    expressions = [item.expr for item in query.items or ()]
    if not query.group_by and not any(contains_aggregate(expr) for expr in expressions):
        return plain

    def intercept(expr: ast.Expr) -> Operand | None:
        if expr in query.group_by:
            return plain.compile(expr)
        if isinstance(expr, ast.Call) and expr.name in AGGREGATES:
            return _aggregate(expr, plain, parts)
        if isinstance(expr, ast.Name):
            raise query_error(
                "SC2103",
                f"Property reference '{expr.name}' is invalid in the select list because it is "
                "not contained in either an aggregate function or the GROUP BY clause.",
                expr.position,
                expr.position + len(expr.name),
            )
        return None

    return Expressions(session, parts.scope, intercept)


def _aggregate(expr: ast.Call, compiler: Expressions, parts: Parts) -> Operand:
    if len(expr.arguments) != 1:
        raise query_error("SC2040", f"The {expr.written} function takes one argument.")
    operand = compiler.compile(expr.arguments[0])
    if expr.name != "COUNT" or not isinstance(operand, Const | Document):
        operand = _of_own_row(operand, parts, is_subquery=not parts.is_outermost)
    if expr.name == "COUNT":
        defined = operand.type if isinstance(operand, PathOperand) else operand.json
        known = isinstance(operand, Document) or (
            isinstance(operand, Const) and operand.value is not UNDEFINED
        )
        count = "COUNT(*)" if known else f"COUNT({defined})"
        return Typed(count, "number", f"CAST({count} AS TEXT)")
    if isinstance(operand, Typed) and operand.kind == "number" and not compiler.session.is_careful:
        native = f"{expr.name}({operand.native})"
        native = f"coalesce({native}, 0)" if expr.name == "SUM" else native
        return Typed(native, "number", f"cosmos_json({native})")
    is_sum = expr.name in ("SUM", "AVG")
    if is_sum and isinstance(operand, PathOperand) and not compiler.session.is_careful:
        numbers = f"TOTAL({operand.type} IN ('integer', 'real'))"
        total = f"{expr.name}({operand.native})"
        total = f"coalesce({total}, 0)" if expr.name == "SUM" else total
        native = f"(CASE WHEN COUNT({operand.type}) = {numbers} THEN {total} END)"
        return Typed(native, "number", f"cosmos_json({native})")
    total = f"cosmos_{expr.name.lower()}({operand.json})"
    # Over no rows Python's aggregates are not asked at all.
    return Json(
        f"(CASE WHEN COUNT(*) = 0 THEN '0' ELSE {total} END)" if expr.name == "SUM" else total
    )


def _of_own_row(operand: Operand, parts: Parts, *, is_subquery: bool) -> Operand:
    """An aggregate's argument, made to depend on the subquery's own rows.

    SQLite takes an aggregate over columns of the outer query only for one of the outer query.
    """
    own = [table.rpartition(" ")[2] for table in parts.tables]
    if not is_subquery or not own:
        return operand
    # Only of a path it is sure that SQLite keeps the column: of `x AND false` it drops the `x`.
    if isinstance(operand, PathOperand) and any(f"{alias}." in operand.json for alias in own):
        return operand
    return Json(f"(CASE WHEN {own[0]}.key IS NOT NULL THEN {operand.json} END)")


def add_grouping(query: ast.Query, parts: Parts, operands: list[Operand], session: Session) -> None:
    """Put the keys of GROUP BY or DISTINCT into their clause."""

    def key(operand: Operand) -> str:
        return f"cosmos_canon({operand.json})" if session.is_careful else operand.json

    if query.group_by:
        plain = Expressions(session, parts.scope)
        parts.group = [key(plain.compile(expr)) for expr in query.group_by]
    elif query.is_distinct and not any(contains_aggregate(item.expr) for item in query.items or ()):
        is_whole = len(parts.tables) == 1 and isinstance(operands[0], Document)
        if not is_whole and parts.tables:
            parts.group = [key(operand) for operand in operands]


def add_order(query: ast.Query, parts: Parts, compiler: Expressions, *, is_aggregate: bool) -> None:
    """Put the keys of ORDER BY into its clause; ties go by age, in the direction of the last."""
    direction = "ASC"
    for order in query.order_by:
        direction = "DESC" if order.is_descending else "ASC"
        keys = compiler.compile(order.expr).sort_keys
        parts.order.extend((key, direction) for key in keys)
    if not parts.tables or not parts.tables[0].endswith(" AS d"):
        return
    if parts.group:
        parts.order.append(("min(d.seq)", direction))
    elif not is_aggregate:
        parts.order.append(("d.seq", direction))
