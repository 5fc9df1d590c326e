"""From a query's tree to one SQLite statement and the shape of its rows.

Answers FROM and JOIN, WHERE, projections, GROUP BY and aggregates, ORDER BY, DISTINCT, TOP, OFFSET
LIMIT, and subqueries. A join over an array is SQLite's `json_each`, but its elements are addressed
as paths into the same document, so that nested joins and subqueries follow one rule. Paging is in
`emulator.cosmos.query`.

Source: specification, sections 8.1, 8.2 and 8.4.
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.cosmos.errors import CosmosError, query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.aggregates import NAMES as AGGREGATES
from emulator.cosmos.sql.expressions import Expressions, Session
from emulator.cosmos.sql.operands import (
    Condition,
    Const,
    Document,
    Element,
    Json,
    Operand,
    PathOperand,
    Typed,
)
from emulator.cosmos.sql.walk import contains_aggregate
from emulator.cosmos.values import UNDEFINED


@dataclass(frozen=True)
class Root:
    """The container a query runs on: its table, its items, and what limits which rows are seen."""

    table: str
    document: Document | PathOperand
    filters: tuple[str, ...] = ()


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


@dataclass
class _Parts:
    tables: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    order: list[tuple[str, str]] = field(default_factory=list)
    scope: dict[str, Operand] = field(default_factory=dict)
    is_outermost: bool = False

    def sql(self, columns: str, *, is_distinct: bool = False) -> str:
        text = f"SELECT {'DISTINCT ' if is_distinct else ''}{columns}"
        if self.tables:
            text += " FROM " + ", ".join(self.tables)
        if self.where:
            text += " WHERE " + " AND ".join(self.where)
        if self.group:
            text += " GROUP BY " + ", ".join(self.group)
        if self.order:
            text += " ORDER BY " + ", ".join(f"{key} {way}" for key, way in self.order)
        return text


def compile_query(query: ast.Query, root: Root, session: Session) -> Plan:
    """The plan for a query on a container.

    Raises:
        CosmosError: 400 where the query is wrong or not supported.
    """
    try:
        return _compile_query(query, root, session)
    except RecursionError:
        raise query_error("SC1000", "The query is nested too deeply.") from None


def _compile_query(query: ast.Query, root: Root, session: Session) -> Plan:
    parts = _Parts(is_outermost=True)
    _add_sources(query, parts, session, root)
    names, expressions = _projection(query)
    compiler = _compiler(query, parts, session)
    operands = [compiler.compile(expression) for expression in expressions]
    is_aggregate = any(contains_aggregate(expression) for expression in expressions)
    is_grouped = query.is_distinct or bool(query.group_by)
    _add_grouping(query, parts, operands, session)
    _add_order(query, parts, compiler, is_aggregate=is_aggregate)
    offset, limit = _bounds(query, session)
    plan = Plan("", session.bindings.values, "value", offset=offset, limit=limit)
    plan.is_grouped = is_grouped
    plan.undefined_is_null = query.is_value and _is_extreme(expressions)
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


def _compiler(query: ast.Query, parts: _Parts, session: Session) -> Expressions:
    """What compiles projections and ORDER BY: with aggregates where there are some."""
    plain = Expressions(session, parts.scope, compile_subquery)
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

    return Expressions(session, parts.scope, compile_subquery, intercept)


def _aggregate(expr: ast.Call, compiler: Expressions, parts: _Parts) -> Operand:
    if len(expr.arguments) != 1:
        raise query_error("SC2040", f"The {expr.name} function takes one argument.")
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
    return Json(f"cosmos_{expr.name.lower()}({operand.json})")


def _of_own_row(operand: Operand, parts: _Parts, *, is_subquery: bool) -> Operand:
    """An aggregate's argument, made to depend on the subquery's own rows.

    SQLite takes an aggregate over columns of the outer query only for one of the outer query.
    """
    own = [table.rpartition(" ")[2] for table in parts.tables]
    if not is_subquery or not own or any(f"{alias}." in operand.json for alias in own):
        return operand
    return Json(f"(CASE WHEN {own[0]}.key IS NOT NULL THEN {operand.json} END)")


def _named_keys(parts: _Parts) -> list[str]:
    """The keys of GROUP BY and ORDER BY as columns, so that both can go by their names.

    SQLite does not find an outer query's columns in these clauses of a subquery.
    """
    named = [f"{key} AS g{number}" for number, key in enumerate(parts.group)]
    named += [f"{key} AS s{number}" for number, (key, _) in enumerate(parts.order)]
    parts.group = [f"g{number}" for number in range(len(parts.group))]
    parts.order = [(f"s{number}", way) for number, (_, way) in enumerate(parts.order)]
    return named


def _is_extreme(expressions: Sequence[ast.Expr]) -> bool:
    """Whether the one expression is SUM, AVG, MIN or MAX, for which undefined becomes null."""
    first = expressions[0]
    return isinstance(first, ast.Call) and first.name in AGGREGATES and first.name != "COUNT"


def _projection(query: ast.Query) -> tuple[tuple[str, ...], list[ast.Expr]]:
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
        return (), [ast.Name(_alias(query.sources[0]))]
    names: list[str] = []
    unnamed = 0
    for item in query.items:
        name = item.alias or _own_name(item.expr)
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


def _own_name(expr: ast.Expr) -> str | None:
    if isinstance(expr, ast.Name):
        return expr.name
    if isinstance(expr, ast.Member) and isinstance(expr.key, ast.Literal):
        return expr.key.value if isinstance(expr.key.value, str) else None
    return None


def _alias(source: ast.Source) -> str:
    return source.alias or _own_name(source.collection) or ""


def _add_sources(
    query: ast.Query, parts: _Parts, session: Session, root: Root | None, outer: Any = None
) -> None:
    """Put what FROM names into scope."""
    parts.scope.update(outer or {})
    for number, source in enumerate(query.sources):
        if number == 0 and root is not None:
            parts.tables.append(f"{root.table} AS d")
            parts.where.extend(root.filters)
            container = _first_name(source.collection)
            scope: dict[str, Operand] = {container: root.document}
        else:
            scope = parts.scope
        operand = _source_operand(source, Expressions(session, scope, compile_subquery), parts)
        alias = _alias(source)
        if alias and number and alias in parts.scope and root is not None:
            raise query_error("SC2011", f"The input alias '{alias}' is specified more than once.")
        parts.scope[alias] = operand
    if query.where is not None:
        parts.where.append(Expressions(session, parts.scope, compile_subquery).truth(query.where))


def _first_name(collection: ast.Expr) -> str:
    while isinstance(collection, ast.Member):
        collection = collection.base
    if isinstance(collection, ast.Name):
        return collection.name
    raise CosmosError(400, "A subquery as the first source of FROM is not supported.")


def _source_operand(source: ast.Source, compiler: Expressions, parts: _Parts) -> Operand:
    if isinstance(source.collection, ast.Subquery):
        array = compiler.compile(ast.Subquery("array", source.collection.query))
        alias = compiler.session.alias()
        parts.tables.append(f"json_each({array.json}) AS {alias}")
        return Element(f"{alias}.json", f"('$[' || {alias}.key || ']')", alias)
    collection = compiler.compile(source.collection)
    if not source.is_iteration:
        if not isinstance(collection, Document):
            parts.where.append(f"{collection.json} IS NOT NULL")
        return collection
    alias = compiler.session.alias()
    if isinstance(collection, PathOperand):
        parts.tables.append(f"json_each({collection.document}, {collection.path}) AS {alias}")
        parts.where.append(f"{collection.type} = 'array'")
        path = collection.path
        path = path[1:-1] if path.startswith("(") else path
        return Element(collection.document, f"({path} || '[' || {alias}.key || ']')", alias)
    text = collection.json
    parts.tables.append(f"json_each({text}) AS {alias}")
    parts.where.append(f"json_type({text}) = 'array'")
    return Element(f"{alias}.json", f"('$[' || {alias}.key || ']')", alias)


def _add_grouping(
    query: ast.Query, parts: _Parts, operands: list[Operand], session: Session
) -> None:
    def key(operand: Operand) -> str:
        return f"cosmos_canon({operand.json})" if session.is_careful else operand.json

    if query.group_by:
        plain = Expressions(session, parts.scope, compile_subquery)
        parts.group = [key(plain.compile(expr)) for expr in query.group_by]
    elif query.is_distinct and not any(contains_aggregate(item.expr) for item in query.items or ()):
        is_whole = len(parts.tables) == 1 and isinstance(operands[0], Document)
        if not is_whole and parts.tables:
            parts.group = [key(operand) for operand in operands]


def _add_order(
    query: ast.Query, parts: _Parts, compiler: Expressions, *, is_aggregate: bool
) -> None:
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


def _bounds(query: ast.Query, session: Session) -> tuple[int, int | None]:
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


def compile_subquery(outer: Expressions, expr: ast.Subquery) -> Operand:
    """A query within an expression; its names are those around it, and its own."""
    query, session = expr.query, outer.session
    parts = _Parts()
    _add_sources(query, parts, session, None, outer.scope)
    names, expressions = _projection(query)
    compiler = _compiler(query, parts, session)
    operands = [compiler.compile(expression) for expression in expressions]
    is_single = query.items is None or query.is_value
    value = operands[0] if is_single else compiler.object(list(names), operands)
    _add_grouping(query, parts, [value], session)
    _add_order(query, parts, compiler, is_aggregate=False)
    offset, limit = _bounds(query, session)
    columns = [f"{value.json} AS v", *_named_keys(parts)]
    sql = parts.sql(", ".join(columns), is_distinct=query.is_distinct and not parts.group)
    if offset or limit is not None:
        sql += f" LIMIT {-1 if limit is None else limit} OFFSET {offset}"
    if expr.kind == "exists":
        return Condition(f"EXISTS (SELECT 1 FROM ({sql}) WHERE v IS NOT NULL)")
    if expr.kind == "array":
        joined = "'[' || coalesce(group_concat(v, ','), '') || ']'"
        return Json(f"(SELECT {joined} FROM ({sql}))")
    return Json(f"(SELECT v FROM ({sql}) WHERE v IS NOT NULL LIMIT 1)")
