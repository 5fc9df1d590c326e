"""Partial updates of an item: the operations, and what they may not touch.

Pure but for the condition, which is a query on the one item. All or nothing: an operation that
cannot be done refuses the whole.

Source: specification, section 6.5; JSON Pointer (RFC 6901) for the paths.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.cosmos.errors import CosmosError, bad_request
from emulator.cosmos.model import ITEM_SYSTEM_PROPERTIES, Container
from emulator.cosmos.sql.operators import is_number
from emulator.cosmos.values import number

MAX_OPERATIONS = 10


@dataclass(frozen=True)
class Patch:
    """A checked patch: its operations in order, and the condition's text."""

    operations: tuple[dict[str, Any], ...]
    condition: str | None


def read_patch(body: Any) -> Patch:
    """A patch from a request's body.

    Raises:
        CosmosError: 400 where the body is not a patch, or has too many operations.
    """
    operations = body.get("operations") if isinstance(body, dict) else None
    if not isinstance(operations, list) or not operations:
        raise bad_request("The patch request needs at least one operation.")
    if len(operations) > MAX_OPERATIONS:
        raise bad_request(f"The number of patch operations can't exceed '{MAX_OPERATIONS}'.")
    for operation in operations:
        kind = operation.get("op") if isinstance(operation, dict) else None
        if kind not in _OPERATIONS:
            raise bad_request(f"The patch operation '{kind}' is not supported.")
        if not isinstance(operation.get("path"), str):
            raise bad_request(f"The patch operation '{kind}' needs a path.")
        if kind == "move" and not isinstance(operation.get("from"), str):
            raise bad_request("The patch operation 'move' needs a 'from' path.")
        if kind in ("add", "set", "replace", "incr") and "value" not in operation:
            raise bad_request(f"The patch operation '{kind}' needs a value.")
    condition = body.get("condition")
    if condition is not None and not isinstance(condition, str):
        raise bad_request("The condition of a patch must be a string.")
    return Patch(tuple(operations), condition)


def apply_patch(container: Container, body: dict[str, Any], patch: Patch) -> None:
    """Change a body in place.

    Raises:
        CosmosError: 400 where an operation cannot be done or touches what may not be changed.
    """
    for operation in patch.operations:
        kind = operation["op"]
        path = _pointer(operation["path"])
        for touched in (path, _pointer(operation["from"])) if kind == "move" else (path,):
            _check_allowed(container, touched)
        _OPERATIONS[kind](body, path, operation)


def _pointer(text: str) -> list[str]:
    if not text.startswith("/") or text == "/":
        raise bad_request(f"The patch path '{text}' is invalid.")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _check_allowed(container: Container, path: list[str]) -> None:
    if path[0] in ITEM_SYSTEM_PROPERTIES or path == ["id"]:
        raise bad_request(f"The property '/{path[0]}' cannot be changed by a patch.")
    for key in container.partition_key.paths:
        if tuple(path) == key[: len(path)]:
            raise bad_request("The partition key cannot be changed by a patch.")


def _missing(path: list[str]) -> CosmosError:
    return bad_request(f"For the patch operation, the path '/{'/'.join(path)}' does not exist.")


def _place(parent: list[Any], name: str, path: list[str], *, may_end: bool) -> int:
    """The place in an array that a part of a path names."""
    if name == "-" and may_end:
        return len(parent)
    if not name.isdecimal() or (name.startswith("0") and name != "0"):
        raise bad_request(f"The patch path '/{'/'.join(path)}' is not a place in an array.")
    place = int(name)
    if place > len(parent) or (place == len(parent) and not may_end):
        raise _missing(path)
    return place


def _parent(body: Any, path: list[str]) -> Any:
    value = body
    for depth, name in enumerate(path[:-1]):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list):
            value = value[_place(value, name, path[: depth + 1], may_end=False)]
        else:
            raise _missing(path[: depth + 1])
    if not isinstance(value, dict | list):
        raise _missing(path[:-1])
    return value


def _get(body: Any, path: list[str]) -> Any:
    parent, name = _parent(body, path), path[-1]
    if isinstance(parent, list):
        return parent[_place(parent, name, path, may_end=False)]
    if name not in parent:
        raise _missing(path)
    return parent[name]


def _put(body: Any, path: list[str], value: Any, *, inserts: bool, must_exist: bool) -> None:
    parent, name = _parent(body, path), path[-1]
    if isinstance(parent, dict):
        if must_exist and name not in parent:
            raise _missing(path)
        parent[name] = value
        return
    place = _place(parent, name, path, may_end=not must_exist)
    if inserts or place == len(parent):
        parent.insert(place, value)
    else:
        parent[place] = value


def _add(body: Any, path: list[str], operation: dict[str, Any]) -> None:
    _put(body, path, operation["value"], inserts=True, must_exist=False)


def _set(body: Any, path: list[str], operation: dict[str, Any]) -> None:
    _put(body, path, operation["value"], inserts=False, must_exist=False)


def _replace(body: Any, path: list[str], operation: dict[str, Any]) -> None:
    _put(body, path, operation["value"], inserts=False, must_exist=True)


def _remove(body: Any, path: list[str], _operation: dict[str, Any]) -> None:
    _get(body, path)
    parent = _parent(body, path)
    if isinstance(parent, list):
        parent.pop(int(path[-1]))
    else:
        del parent[path[-1]]


def _incr(body: Any, path: list[str], operation: dict[str, Any]) -> None:
    by = operation["value"]
    if not is_number(by):
        raise bad_request("The patch operation 'incr' needs a number.")
    parent = _parent(body, path)
    if isinstance(parent, dict) and path[-1] not in parent:
        parent[path[-1]] = by
        return
    value = _get(body, path)
    if not is_number(value):
        raise bad_request(f"The patch operation 'incr' needs a number at '/{'/'.join(path)}'.")
    _put(body, path, number(value + by), inserts=False, must_exist=True)


def _move(body: Any, path: list[str], operation: dict[str, Any]) -> None:
    source = _pointer(operation["from"])
    if path[: len(source)] == source and path != source:
        raise bad_request("The patch operation 'move' cannot move a value into itself.")
    value = _get(body, source)
    _remove(body, source, operation)
    _put(body, path, value, inserts=True, must_exist=False)


_OPERATIONS: dict[str, Callable[[Any, list[str], dict[str, Any]], None]] = {
    "add": _add,
    "set": _set,
    "replace": _replace,
    "remove": _remove,
    "incr": _incr,
    "move": _move,
}
