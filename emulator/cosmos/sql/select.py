"""From a query's tree to one SQLite statement and the shape of its rows.

Puts the clauses together: `sources` (FROM, JOIN, WHERE), `projection`, `grouping` (aggregates,
GROUP BY, DISTINCT, ORDER BY). Paging is in `emulator.cosmos.query`.

Source: specification, sections 8.1, 8.2 and 8.4.
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

from dataclasses import dataclass
from typing import Any

from emulator.cosmos.errors import query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.expressions import Expressions, Session
from emulator.cosmos.sql.grouping import add_grouping, add_order, result_compiler
from emulator.cosmos.sql.operands import Condition, Document, Json, Operand
from emulator.cosmos.sql.projection import bounds, is_extreme, projection
from emulator.cosmos.sql.sources import add_sources
from emulator.cosmos.sql.statement import Parts, Root, named_keys
from emulator.cosmos.sql.walk import contains_aggregate


@dataclass
class Plan:
    """A statement without its LIMIT, and what its columns are.

    Attributes:
        sql: the statement; LIMIT and OFFSET are appended by the caller.
        bindings: what is bound to it.
        shape: `document` (seq, lsn, ts, body), `value` (one JSON text) or `object` (one JSON text
            for each name).
        can_seek: rows come by row number, which is the first column; a page can start behind one.
        offset, limit: of the query itself; limit None is without end.
        is_grouped: rows are told apart by the text of their values, which is only right where no
            value is an array or object; else compile again with a careful session.
        undefined_is_null: an undefined result is one row of null.
    """

    sql: str
    bindings: dict[str, Any]
    shape: str
    names: tuple[str, ...] = ()
    can_seek: bool = False
    offset: int = 0
    limit: int | None = None
    is_grouped: bool = False
    undefined_is_null: bool = False


def compile_query(query: ast.Query, root: Root, session: Session) -> Plan:
    """The plan for a query on a container.

    Raises:
        CosmosError: 400 where the query is wrong or not supported.
    """
    session.subquery = _compile_subquery
    try:
        return _compile_query(query, root, session)
    except RecursionError:
        raise query_error("SC1000", "The query is nested too deeply.") from None


def _compile_query(query: ast.Query, root: Root, session: Session) -> Plan:
    parts = Parts(is_outermost=True)
    add_sources(query, parts, session, root)
    names, expressions = projection(query)
    compiler = result_compiler(query, parts, session)
    operands = [compiler.compile(expression) for expression in expressions]
    is_aggregate = any(contains_aggregate(expression) for expression in expressions)
    is_grouped = query.is_distinct or bool(query.group_by)
    add_grouping(query, parts, operands, session)
    add_order(query, parts, compiler, is_aggregate=is_aggregate)
    offset, limit = bounds(query, session)
    plan = Plan("", session.bindings.values, "value", offset=offset, limit=limit)
    plan.is_grouped = is_grouped
    plan.undefined_is_null = query.is_value and is_extreme(expressions)
    iterates = len(parts.tables) > 1
    single = operands[0] if query.items is None or query.is_value else None
    if isinstance(single, Document) and (not query.is_distinct or not iterates):
        plan.shape = "document"
        columns = [f"{single.table}.{name}" for name in ("seq", "lsn", "ts", "body")]
    elif single is not None:
        columns = [single.json]
    else:
        plan.shape, plan.names = "object", names
        columns = [operand.json for operand in operands]
    plan.can_seek = not (
        is_grouped
        or is_aggregate
        or iterates
        or not parts.tables
        or query.order_by
        or limit is not None
        or offset
    )
    if plan.can_seek and plan.shape != "document":
        columns.insert(0, "d.seq")
    plan.sql = parts.sql(
        ", ".join(columns), is_distinct=query.is_distinct and (is_aggregate or bool(query.group_by))
    )
    return plan


def _compile_subquery(outer: Expressions, expr: ast.Subquery) -> Operand:
    """A query within an expression; its names are those around it, and its own."""
    query, session = expr.query, outer.session
    parts = Parts()
    add_sources(query, parts, session, outer.scope)
    names, expressions = projection(query)
    compiler = result_compiler(query, parts, session)
    operands = [compiler.compile(expression) for expression in expressions]
    is_single = query.items is None or query.is_value
    value = operands[0] if is_single else compiler.object(list(names), operands)
    add_grouping(query, parts, [value], session)
    add_order(query, parts, compiler, is_aggregate=False)
    offset, limit = bounds(query, session)
    columns = [f"{value.json} AS v", *named_keys(parts)]
    sql = parts.sql(", ".join(columns), is_distinct=query.is_distinct and not parts.group)
    if offset or limit is not None:
        sql += f" LIMIT {-1 if limit is None else limit} OFFSET {offset}"
    if expr.kind == "exists":
        return Condition(f"EXISTS (SELECT 1 FROM ({sql}) WHERE v IS NOT NULL)")
    if expr.kind == "array":
        joined = "'[' || coalesce(group_concat(v, ','), '') || ']'"
        return Json(f"(SELECT {joined} FROM ({sql}))")
    return Json(f"(SELECT v FROM ({sql}) WHERE v IS NOT NULL LIMIT 1)")
