"""Queries that work here and not in the service, told apart.

The service asks the client to merge what several partitions answer, and the Python client cannot
merge everything; it also needs composite indexes that nobody needs here. A strict account refuses
such queries as the service would; otherwise each is logged once.

Source: specification, section 10.
"""

import logging

from emulator.cosmos.errors import CosmosError, bad_request
from emulator.cosmos.model import Container
from emulator.cosmos.partition import parse_path
from emulator.cosmos.sql import ast

_log = logging.getLogger(__name__)
_KNOWN_LIMIT = 1000


class Generosity:
    """What to do about queries that the service would refuse."""

    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict
        self._told: set[str] = set()

    def check(self, text: str, tree: ast.Query, container: Container, *, is_one: bool) -> None:
        """Refuse a query, or say once that the service would.

        Args:
            is_one: the query runs on one partition key's value.
        Raises:
            CosmosError: 400, of a strict account.
        """
        reason = refusal_of_service(tree, container, is_one=is_one)
        if reason is None:
            return
        if self._is_strict:
            raise reason
        if text not in self._told and len(self._told) < _KNOWN_LIMIT:
            self._told.add(text)
            _log.warning("Azure Cosmos DB would refuse this query (%s): %s", reason.message, text)


def refusal_of_service(
    tree: ast.Query, container: Container, *, is_one: bool
) -> CosmosError | None:
    """What the service answers to a query that works here, or None where it works there, too."""
    if tree.group_by and tree.order_by:
        return bad_request("'ORDER BY' is not supported in presence of GROUP BY.")
    if tree.group_by and not is_one:
        return bad_request("Cross partition query does not support GROUP BY with this client.")
    if len(tree.order_by) > 1 and not _has_composite_index(tree, container):
        return bad_request(
            "The order by query does not have a corresponding composite index that it can be "
            "served from."
        )
    return None


def _has_composite_index(tree: ast.Query, container: Container) -> bool:
    wanted = [(_path(order.expr), order.is_descending) for order in tree.order_by]
    mirrored = [(path, not is_descending) for path, is_descending in wanted]
    policy = container.definition.get("indexingPolicy") or {}
    for composite in policy.get("compositeIndexes") or []:
        given = [
            (parse_path(str(entry.get("path"))), str(entry.get("order")).lower() == "descending")
            for entry in composite
        ]
        if given in (wanted, mirrored):
            return True
    return False


def _path(expr: ast.Expr) -> tuple[str, ...]:
    """The path of a property, without the alias it starts from."""
    segments: list[str] = []
    while isinstance(expr, ast.Member) and isinstance(expr.key, ast.Literal):
        segments.insert(0, str(expr.key.value))
        expr = expr.base
    return tuple(segments)
