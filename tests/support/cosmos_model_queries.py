"""Rows, subqueries and aggregates in the small reading of the query language (`cosmos_model`)."""

import math
from collections.abc import Iterator
from typing import Any

from tests.support.cosmos_model import MISSING, Row, Term, kind, sort_key


def elements(row: Row, name: str, collection: Term) -> Iterator[Row]:
    """A row for each element of an array, as `name IN collection` makes them."""
    found = collection.of(row)
    for element in found if isinstance(found, list) else []:
        yield {**row, name: element}


def exists(name: str, collection: Term, condition: Term) -> Term:
    """EXISTS over the elements of an array for which a condition is true."""
    return Term(
        f"EXISTS(SELECT VALUE 1 FROM {name} IN {collection.text} WHERE {condition.text})",
        lambda row: any(condition.of(each) is True for each in elements(row, name, collection)),
    )


def array_of(name: str, collection: Term, condition: Term, value: Term) -> Term:
    """ARRAY of a value for each element for which a condition is true."""

    def of(row: Row) -> Any:
        rows = [each for each in elements(row, name, collection) if condition.of(each) is True]
        values = [value.of(each) for each in rows]
        return [each for each in values if each is not MISSING]

    source = f"FROM {name} IN {collection.text} WHERE {condition.text}"
    return Term(f"ARRAY(SELECT VALUE {value.text} {source})", of)


def aggregate(function: str, values: list[Any]) -> Any:
    """An aggregate over values, of which some may be undefined."""
    defined = [value for value in values if value is not MISSING]
    if function == "COUNT":
        return len(defined)
    if function in ("MIN", "MAX"):
        if not defined or any(kind(value) in ("array", "object") for value in defined):
            return MISSING
        return (min if function == "MIN" else max)(defined, key=sort_key)
    if any(kind(value) != "number" for value in defined):
        return MISSING
    are_whole = all(isinstance(value, int) for value in defined)
    total: Any = sum(defined) if are_whole else math.fsum(defined)
    if function == "SUM":
        return total
    return total / len(defined) if defined else MISSING


def aggregate_of(function: str, name: str, collection: Term, value: Term) -> Term:
    """A scalar subquery: an aggregate over the elements of an array."""

    def of(row: Row) -> Any:
        return aggregate(function, [value.of(each) for each in elements(row, name, collection)])

    source = f"FROM {name} IN {collection.text}"
    return Term(f"(SELECT VALUE {function}({value.text}) {source})", of)
