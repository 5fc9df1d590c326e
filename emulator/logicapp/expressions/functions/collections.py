"""Functions of arrays, and of objects and texts as collections.

Pure. Source: Logic Apps documentation, "Reference guide to workflow expression functions".
"""

from typing import Any

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.functions.registry import (
    as_array,
    as_integer,
    as_object,
    as_text,
    function,
    mismatch,
)
from emulator.logicapp.expressions.values import equal, to_json, to_text


@function("length", 1)
def _length(value: Any) -> int:
    if not isinstance(value, list | str):
        raise mismatch("length", "an array or a string", value)
    return len(value)


@function("empty", 1)
def _empty(value: Any) -> bool:
    if value is not None and not isinstance(value, list | str | dict):
        raise mismatch("empty", "an object, an array or a string", value)
    return not value


@function("contains", 2)
def _contains(collection: Any, value: Any) -> bool:
    if isinstance(collection, str):
        return to_text(value) in collection
    if isinstance(collection, dict):
        return to_text(value) in collection
    return any(equal(each, value) for each in as_array("contains", collection))


@function("first", 1)
def _first(value: Any) -> Any:
    if not isinstance(value, list | str):
        raise mismatch("first", "an array or a string", value)
    return value[0] if value else None


@function("last", 1)
def _last(value: Any) -> Any:
    if not isinstance(value, list | str):
        raise mismatch("last", "an array or a string", value)
    return value[-1] if value else None


@function("take", 2)
def _take(value: Any, count: Any) -> Any:
    if not isinstance(value, list | str):
        raise mismatch("take", "an array or a string", value)
    return value[: max(as_integer("take", count), 0)]


@function("skip", 2)
def _skip(value: Any, count: Any) -> Any:
    return as_array("skip", value)[max(as_integer("skip", count), 0) :]


@function("join", 2)
def _join(value: Any, mark: Any) -> str:
    return as_text("join", mark).join(to_text(each) for each in as_array("join", value))


@function("reverse", 1)
def _reverse(value: Any) -> list[Any]:
    return as_array("reverse", value)[::-1]


@function("sort", 1, 2)
def _sort(value: Any, by: Any = None) -> list[Any]:
    def key(each: Any) -> Any:
        return each if by is None else as_object("sort", each).get(as_text("sort", by))

    try:
        return sorted(as_array("sort", value), key=key)
    except TypeError:
        raise ExpressionFailed("The function 'sort' cannot compare values of two types.") from None


@function("chunk", 2)
def _chunk(value: Any, size: Any) -> list[Any]:
    length = as_integer("chunk", size)
    if not isinstance(value, list | str):
        raise mismatch("chunk", "an array or a string", value)
    if length < 1:
        raise ExpressionFailed("The 'length' of the function 'chunk' must be greater than zero.")
    return [value[at : at + length] for at in range(0, len(value), length)]


@function("union", 1, None)
def _union(*values: Any) -> Any:
    if all(isinstance(value, dict) for value in values):
        return {key: each for value in values for key, each in value.items()}
    kept = {to_json(each): each for value in values for each in as_array("union", value)}
    return list(kept.values())


@function("intersection", 1, None)
def _intersection(*values: Any) -> list[Any]:
    first, *rest = [as_array("intersection", value) for value in values]
    known = [{to_json(each) for each in value} for value in rest]
    kept = {to_json(each): each for each in first}
    return [each for text, each in kept.items() if all(text in texts for texts in known)]
