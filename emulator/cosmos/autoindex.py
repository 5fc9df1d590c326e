"""Indexes made when a query was slow for want of one.

The service indexes every path of every item. SQLite does not, so a filter on a path that no policy
names is a scan. Where a scan took noticeable time, the paths it compared are indexed, once, and at
most eight for each container; the next such query finds the index.

Source: specification, section 8.4.
"""

from collections.abc import Mapping
from typing import Any

from emulator.cosmos.sql import ast
from emulator.cosmos.sql.operands import PathOperand
from emulator.cosmos.sql.operators import COMPARISONS
from emulator.cosmos.sql.walk import constant, path_from, root_alias

SLOW_S = 0.05
MAX_INDEXES = 8
# Below so many changes a container is small, and it was the machine that was slow.
MIN_CHANGES = 2000
_SYSTEM = {"id", "_ts", "_rid", "_self", "_etag", "_attachments"}


def wanted_columns(
    tree: ast.Query, parameters: Mapping[str, Any], *, can_seek: bool
) -> tuple[str, ...]:
    """The columns of an index that would serve a query, or nothing.

    Args:
        can_seek: rows come by age, for which SQLite prefers a scan to a range.
    """
    alias = root_alias(tree)
    if alias is None:
        return ()
    for term in _conjunction(tree.where):
        path = _compared_path(term, alias, parameters, with_ranges=not can_seek)
        if path is not None:
            return (path.native,)
    if len(tree.order_by) == 1 and tree.where is None and not tree.group_by:
        path = _operand(tree.order_by[0].expr, alias, parameters)
        if path is not None:
            return tuple(path.sort_keys)
    return ()


def _conjunction(expr: ast.Expr | None) -> list[ast.Expr]:
    """The conditions that must all hold."""
    if isinstance(expr, ast.Logical) and expr.operator == "AND":
        return [part for operand in expr.operands for part in _conjunction(operand)]
    return [] if expr is None else [expr]


def _compared_path(
    term: ast.Expr, alias: str, parameters: Mapping[str, Any], *, with_ranges: bool
) -> PathOperand | None:
    if isinstance(term, ast.In):
        return _operand(term.value, alias, parameters)
    if isinstance(term, ast.Between) and with_ranges:
        return _operand(term.value, alias, parameters)
    if not isinstance(term, ast.Binary) or term.operator not in COMPARISONS:
        return None
    if term.operator == "!=" or (term.operator != "=" and not with_ranges):
        return None
    for side, other in ((term.left, term.right), (term.right, term.left)):
        value = constant(other, parameters)
        if value is not None and isinstance(value[0], str | int | float):
            found = _operand(side, alias, parameters)
            if found is not None:
                return found
    return None


def _operand(expr: ast.Expr, alias: str, parameters: Mapping[str, Any]) -> PathOperand | None:
    segments = path_from(expr, alias, parameters)
    if not segments or segments[0] in _SYSTEM:
        return None
    found: PathOperand | None = PathOperand("body", "'$'")
    for segment in segments:
        found = None if found is None else found.member(segment)
    return found
