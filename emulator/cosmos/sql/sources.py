"""FROM and JOIN: what the names of a query stand for.

A join over an array is SQLite's `json_each`, but its elements are addressed as paths into the same
document, so that nested joins and subqueries follow one rule.
"""

from collections.abc import Mapping

from emulator.cosmos.errors import CosmosError, query_error
from emulator.cosmos.sql import ast
from emulator.cosmos.sql.expressions import Expressions, Session
from emulator.cosmos.sql.operands import Document, Element, Operand, PathOperand
from emulator.cosmos.sql.projection import own_name
from emulator.cosmos.sql.statement import Parts, Root


def source_alias(source: ast.Source) -> str:
    """The name by which a query calls a source."""
    return source.alias or own_name(source.collection) or ""


def add_sources(
    query: ast.Query, parts: Parts, session: Session, root: Root | Mapping[str, Operand]
) -> None:
    """Put what FROM names into scope, and WHERE among the conditions.

    Args:
        root: the container of a whole query, or the names around a subquery.
    """
    if not isinstance(root, Root):
        parts.scope.update(root)
    for number, source in enumerate(query.sources):
        if number == 0 and isinstance(root, Root):
            parts.tables.append(f"{root.table} AS d")
            parts.where.extend(root.filters)
            container = _first_name(source.collection)
            scope: dict[str, Operand] = {container: root.document}
        else:
            scope = parts.scope
        operand = _source_operand(source, Expressions(session, scope), parts)
        alias = source_alias(source)
        if alias and number and alias in parts.scope and isinstance(root, Root):
            raise query_error("SC2011", f"The input alias '{alias}' is specified more than once.")
        parts.scope[alias] = operand
    if query.where is not None:
        parts.where.append(Expressions(session, parts.scope).truth(query.where))


def _first_name(collection: ast.Expr) -> str:
    while isinstance(collection, ast.Member):
        collection = collection.base
    if isinstance(collection, ast.Name):
        return collection.name
    raise CosmosError(400, "A subquery as the first source of FROM is not supported.")


def _source_operand(source: ast.Source, compiler: Expressions, parts: Parts) -> Operand:
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
