"""Loads each type of action; the table at the end is what there is.

Pure. A reader is handed the action's JSON, known to have only the members of the table, and makes
the type's part of `model` of it.

Source: Logic Apps documentation, "Schema reference guide to trigger and action types".
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from emulator.logicapp.conditions import compile_condition
from emulator.logicapp.errors import InvalidDefinition
from emulator.logicapp.expressions import Template, escape_pointer
from emulator.logicapp.model import (
    Block,
    ChangeVariable,
    Compose,
    Connector,
    Foreach,
    If,
    InitializeVariable,
    Join,
    Query,
    Scope,
    Select,
    Spec,
    Status,
    Switch,
    Terminate,
)
from emulator.logicapp.operations import PEEK_LOCK, Operation
from emulator.logicapp.reading import (
    parse_duration,
    read_concurrency,
    read_members,
    read_object,
    read_retry,
)

# Limits of the service.
_MAX_REPETITIONS, _DEFAULT_REPETITIONS = 50, 20
_VARIABLE_TYPES = ("Array", "Boolean", "Float", "Integer", "Object", "String")
_CHANGES = (
    "SetVariable",
    "AppendToArrayVariable",
    "AppendToStringVariable",
    "IncrementVariable",
    "DecrementVariable",
)


class Place(NamedTuple):
    """What surrounds an action: the loops' names in lower case, from the outermost."""

    loops: tuple[str, ...] = ()
    is_top: bool = True


class Loader(Protocol):
    """What a reader is helped by; see `load`."""

    variables: set[str]
    changes: list[tuple[str, str]]

    def template(self, value: Any, pointer: str, place: Place) -> Template:
        """Compile a JSON value with expressions."""

    def operation(self, inputs: dict[str, Any], pointer: str) -> Operation:
        """The connector's operation that inputs mean."""

    def block(self, value: Any, pointer: str, place: Place) -> Block:
        """Load actions side by side."""


def _compose(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    return Compose(loader.template(value["inputs"], f"{pointer}/inputs", place))


def _connector(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/inputs"
    known = {"host", "method", "path", "queries", "headers", "body", "retryPolicy"}
    inputs = read_members(value["inputs"], at, known, ("host", "method", "path"))
    operation = loader.operation(inputs, at)
    if operation is PEEK_LOCK:
        raise InvalidDefinition(f"{at}/path", "This operation is a trigger.")
    limit = read_members(value.get("limit", {}), f"{pointer}/limit", {"timeout"})
    timeout = limit.get("timeout")
    return Connector(
        api=operation.api,
        operation=operation.name,
        method=operation.method,
        path=loader.template(inputs["path"], f"{at}/path", place),
        queries=loader.template(inputs.get("queries", {}), f"{at}/queries", place),
        headers=loader.template(inputs.get("headers", {}), f"{at}/headers", place),
        body=loader.template(inputs["body"], f"{at}/body", place) if "body" in inputs else None,
        retry=read_retry(inputs.get("retryPolicy"), f"{at}/retryPolicy"),
        timeout_s=None if timeout is None else parse_duration(timeout, f"{pointer}/limit/timeout"),
    )


def _query(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/inputs"
    inputs = read_members(value["inputs"], at, {"from", "where"}, ("from", "where"))
    return Query(
        loader.template(inputs["from"], f"{at}/from", place),
        loader.template(inputs["where"], f"{at}/where", place),
    )


def _select(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/inputs"
    inputs = read_members(value["inputs"], at, {"from", "select"}, ("from", "select"))
    return Select(
        loader.template(inputs["from"], f"{at}/from", place),
        loader.template(inputs["select"], f"{at}/select", place),
    )


def _join(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/inputs"
    inputs = read_members(value["inputs"], at, {"from", "joinWith"}, ("from", "joinWith"))
    return Join(
        loader.template(inputs["from"], f"{at}/from", place),
        loader.template(inputs["joinWith"], f"{at}/joinWith", place),
    )


def _initialize(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/inputs/variables"
    inputs = read_members(value["inputs"], f"{pointer}/inputs", {"variables"}, ("variables",))
    if not isinstance(inputs["variables"], list) or len(inputs["variables"]) != 1:
        raise InvalidDefinition(at, "An action initializes exactly one variable.")
    entry = read_members(inputs["variables"][0], f"{at}/0", {"name", "type", "value"}, ("name",))
    if not place.is_top:
        raise InvalidDefinition(pointer, "A variable can only be initialized at the top level.")
    kinds = {kind.lower(): kind for kind in _VARIABLE_TYPES}
    kind = kinds.get(str(entry.get("type")).lower())
    if kind is None:
        text = f"The type must be one of {', '.join(_VARIABLE_TYPES)}."
        raise InvalidDefinition(f"{at}/0/type", text)
    if entry["name"] in loader.variables:
        text = f"The variable '{entry['name']}' is initialized twice."
        raise InvalidDefinition(f"{at}/0/name", text)
    loader.variables.add(entry["name"])
    initial = entry.get("value")
    template = None if initial is None else loader.template(initial, f"{at}/0/value", place)
    return InitializeVariable(entry["name"], kind, template)


def _change(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/inputs"
    inputs = read_members(value["inputs"], at, {"name", "value"}, ("name", "value"))
    loader.changes.append((inputs["name"], f"{at}/name"))
    template = loader.template(inputs["value"], f"{at}/value", place)
    return ChangeVariable(value["type"], inputs["name"], template)


def _scope(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    inside = Place(place.loops, is_top=False)
    return Scope(loader.block(value["actions"], f"{pointer}/actions", inside))


def _foreach(loader: Loader, name: str, value: Any, pointer: str, place: Place) -> Spec:
    source = loader.template(value["foreach"], f"{pointer}/foreach", place)
    inside = Place((*place.loops, name.lower()), is_top=False)
    concurrency = read_concurrency(
        value, pointer, "repetitions", default=_DEFAULT_REPETITIONS, most=_MAX_REPETITIONS
    )
    options = value.get("operationOptions")
    if options not in (None, "Sequential"):
        text = f"The option '{options}' is not supported by the emulator."
        raise InvalidDefinition(f"{pointer}/operationOptions", text)
    block = loader.block(value["actions"], f"{pointer}/actions", inside)
    return Foreach(source, block, 1 if options else concurrency)


def _if(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/expression"
    inside = Place(place.loops, is_top=False)
    other = read_members(value.get("else", {}), f"{pointer}/else", {"actions"})
    return If(
        compile_condition(value["expression"], at),
        loader.template(value["expression"], at, place),
        loader.block(value["actions"], f"{pointer}/actions", inside),
        loader.block(other.get("actions", {}), f"{pointer}/else/actions", inside),
    )


def _switch(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    inside = Place(place.loops, is_top=False)
    cases: list[tuple[Any, Block]] = []
    for name, each in read_object(value["cases"], f"{pointer}/cases").items():
        at = f"{pointer}/cases/{escape_pointer(name)}"
        read_members(each, at, {"case", "actions"}, ("case", "actions"))
        cases.append((each["case"], loader.block(each["actions"], f"{at}/actions", inside)))
    other = read_members(value.get("default", {}), f"{pointer}/default", {"actions"})
    return Switch(
        loader.template(value["expression"], f"{pointer}/expression", place),
        tuple(cases),
        loader.block(other.get("actions", {}), f"{pointer}/default/actions", inside),
    )


def _terminate(loader: Loader, _: str, value: Any, pointer: str, place: Place) -> Spec:
    at = f"{pointer}/inputs"
    if place.loops:
        raise InvalidDefinition(pointer, "A run cannot be terminated inside a loop.")
    inputs = read_members(value["inputs"], at, {"runStatus", "runError"}, ("runStatus",))
    if inputs["runStatus"] not in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
        text = "The status must be 'Succeeded', 'Failed' or 'Cancelled'."
        raise InvalidDefinition(f"{at}/runStatus", text)
    error = read_members(inputs.get("runError", {}), f"{at}/runError", {"code", "message"})
    return Terminate(
        Status(inputs["runStatus"]),
        loader.template(error.get("code", ""), f"{at}/runError/code", place),
        loader.template(error.get("message", ""), f"{at}/runError/message", place),
    )


Reader = Callable[[Loader, str, Any, str, Place], Spec]
READERS: dict[str, tuple[set[str], tuple[str, ...], Reader]] = {
    "Compose": ({"inputs"}, ("inputs",), _compose),
    "ApiConnection": ({"inputs", "limit"}, ("inputs",), _connector),
    "Query": ({"inputs"}, ("inputs",), _query),
    "Select": ({"inputs"}, ("inputs",), _select),
    "Join": ({"inputs"}, ("inputs",), _join),
    "InitializeVariable": ({"inputs"}, ("inputs",), _initialize),
    **{kind: ({"inputs"}, ("inputs",), _change) for kind in _CHANGES},
    "Scope": ({"actions"}, ("actions",), _scope),
    "Foreach": (
        {"foreach", "actions", "runtimeConfiguration", "operationOptions"},
        ("foreach", "actions"),
        _foreach,
    ),
    "If": ({"expression", "actions", "else"}, ("expression", "actions"), _if),
    "Switch": ({"expression", "cases", "default"}, ("expression", "cases"), _switch),
    "Terminate": ({"inputs"}, ("inputs",), _terminate),
}
