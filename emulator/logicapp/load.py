"""Loads a Consumption workflow: JSON becomes `model`'s values; what is not supported is refused.

Pure. Every refusal names its place as a JSON pointer. Types of actions are `load_actions`'.

Source: Logic Apps documentation, "Workflow Definition Language schema".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.logicapp.errors import ExpressionFailed, InvalidDefinition
from emulator.logicapp.expressions import Template, compile_template, escape_pointer
from emulator.logicapp.expressions.syntax import Interpolation, Literal
from emulator.logicapp.load_actions import READERS, Place
from emulator.logicapp.model import Action, Block, Trigger, Workflow
from emulator.logicapp.operations import PEEK_LOCK, Operation, find_operation
from emulator.logicapp.reading import (
    in_order,
    read_concurrency,
    read_members,
    read_object,
    read_run_after,
)

# Limits of the service.
_MAX_RUNS, _DEFAULT_RUNS = 100, 25
_WORKFLOW_MEMBERS = {
    *("$schema", "contentVersion", "description", "parameters", "triggers", "actions", "outputs"),
}
_COMMON = {"type", "runAfter", "description", "metadata"}


def load_workflow(name: str, definition: Any, values: Mapping[str, Any]) -> Workflow:
    """Load a definition.

    Args:
        values: of its parameters, `$connections` among them: for each connection an object with
            `connectionId` and `id`, whose last segment names the connector.
    Raises:
        InvalidDefinition: something in it is wrong, or is not supported by the emulator.
    """
    read_members(definition, "", _WORKFLOW_MEMBERS, ("triggers", "actions"))
    if definition.get("outputs"):
        raise InvalidDefinition("/outputs", "Outputs of a workflow are not supported.")
    loader = _Loader(_parameters(definition.get("parameters", {}), values))
    trigger = loader.trigger(definition["triggers"])
    block = loader.block(definition["actions"], "/actions", Place())
    loader.check_references()
    return Workflow(name, loader.parameters, trigger, block, loader.observed())


def _parameters(declared: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, entry in read_object(declared, "/parameters").items():
        pointer = f"/parameters/{escape_pointer(name)}"
        read_members(
            entry, pointer, {"type", "defaultValue", "metadata", "allowedValues"}, ("type",)
        )
        if name not in values and "defaultValue" not in entry:
            raise InvalidDefinition(pointer, f"The parameter '{name}' has no value.")
        found[name] = values.get(name, entry.get("defaultValue"))
    for name in values:
        if name not in found:
            raise InvalidDefinition("/parameters", f"The parameter '{name}' is not declared.")
    return found


@dataclass
class _Fixed:
    """A context in which only parameters are known: for what must be known at load."""

    parameters: Mapping[str, Any]

    def parameter(self, name: str) -> Any:
        if name not in self.parameters:
            raise ExpressionFailed(f"The parameter '{name}' is not declared.")
        return self.parameters[name]

    def __getattr__(self, name: str) -> Any:
        raise ExpressionFailed("Only parameters can be used here.")


@dataclass
class _Loader:
    """One load: what was declared, and what has been referred to."""

    parameters: Mapping[str, Any]
    names: dict[str, str] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    templates: list[tuple[Template, Place]] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)

    # -- the trigger --

    def trigger(self, triggers: Any) -> Trigger:
        """The one trigger: a queue's messages, peek-locked."""
        if len(read_object(triggers, "/triggers")) != 1:
            raise InvalidDefinition("/triggers", "Exactly one trigger is supported.")
        ((name, value),) = triggers.items()
        pointer = f"/triggers/{escape_pointer(name)}"
        known = {*_COMMON, "inputs", "recurrence", "runtimeConfiguration", "evaluatedRecurrence"}
        read_members(value, pointer, known, ("type", "inputs", "recurrence"))
        if value["type"] != "ApiConnection":
            text = f"The trigger type '{value['type']}' is not supported by the emulator."
            raise InvalidDefinition(f"{pointer}/type", text)
        inputs = read_object(value["inputs"], f"{pointer}/inputs")
        operation = self.operation(inputs, f"{pointer}/inputs")
        if operation is not PEEK_LOCK:
            text = "Only the trigger on a queue's messages (peek-lock) is supported."
            raise InvalidDefinition(f"{pointer}/inputs/path", text)
        queries = inputs.get("queries", {})
        if queries.get("queueType", "Main") != "Main" or queries.get("sessionId", "None") != "None":
            text = "Only the main queue, without sessions, is supported."
            raise InvalidDefinition(f"{pointer}/inputs/queries", text)
        path = self._fixed(inputs["path"], f"{pointer}/inputs/path")
        runs = read_concurrency(value, pointer, "runs", default=_DEFAULT_RUNS, most=_MAX_RUNS)
        shown = {"method": inputs["method"], "path": path, "queries": queries}
        return Trigger(name, path.strip("/").split("/")[0], runs, shown)

    # -- blocks --

    def block(self, value: Any, pointer: str, place: Place) -> Block:
        """Actions side by side, put into an order that respects `runAfter`."""
        actions = read_object(value, pointer)
        for name in actions:
            if name.lower() in self.names:
                text = f"The name '{name}' is used twice."
                raise InvalidDefinition(f"{pointer}/{escape_pointer(name)}", text)
            self.names[name.lower()] = name
        loaded = {
            name: self._action(name, each, f"{pointer}/{escape_pointer(name)}", place, actions)
            for name, each in actions.items()
        }
        return Block(in_order(loaded, pointer))

    def _action(
        self, name: str, value: Any, pointer: str, place: Place, siblings: Mapping[str, Any]
    ) -> Action:
        kind = read_object(value, pointer).get("type")
        reader = READERS.get(kind) if isinstance(kind, str) else None
        if reader is None:
            text = f"The action type '{kind}' is not supported by the emulator."
            raise InvalidDefinition(f"{pointer}/type", text)
        members, required, read = reader
        read_members(value, pointer, _COMMON | members, required)
        run_after = read_run_after(value.get("runAfter", {}), f"{pointer}/runAfter", siblings)
        return Action(name, str(kind), run_after, read(self, name, value, pointer, place))

    # -- parts --

    def template(self, value: Any, pointer: str, place: Place) -> Template:
        template = compile_template(value, pointer)
        self.templates.append((template, place))
        return template

    def _fixed(self, value: Any, pointer: str) -> str:
        try:
            found = compile_template(value, pointer).value(_Fixed(self.parameters))
        except ExpressionFailed as error:
            raise InvalidDefinition(pointer, str(error)) from error
        if not isinstance(found, str):
            raise InvalidDefinition(pointer, "A text was expected.")
        return found

    def operation(self, inputs: Mapping[str, Any], pointer: str) -> Operation:
        host = read_members(inputs.get("host"), f"{pointer}/host", {"connection"}, ("connection",))
        connection = read_members(
            host["connection"], f"{pointer}/host/connection", {"name"}, ("name",)
        )
        at = f"{pointer}/host/connection/name"
        wanted = self._fixed(connection["name"], at)
        connections = self.parameters.get("$connections") or {}
        api = next(
            (
                str(each.get("id", "")).rsplit("/", 1)[-1]
                for each in connections.values()
                if each.get("connectionId") == wanted
            ),
            None,
        )
        if api is None:
            raise InvalidDefinition(at, f"There is no connection '{wanted}'.")
        path = compile_template(inputs.get("path"), f"{pointer}/path").node
        method = inputs.get("method")
        if not isinstance(path, str | Interpolation) or not isinstance(method, str):
            raise InvalidDefinition(pointer, "The method and the path must be texts.")
        operation = find_operation(api, method, path)
        if operation is None:
            text = f"The operation '{method} {inputs['path']}' of '{api}' is not supported."
            raise InvalidDefinition(f"{pointer}/path", text)
        return operation

    # -- references --

    def check_references(self) -> None:
        """Names in expressions must be those of something."""
        for name, pointer in self.changes:
            if name not in self.variables:
                raise InvalidDefinition(pointer, f"The variable '{name}' is not initialized.")
        for template, place in self.templates:
            for call in template.calls():
                name = call.name.lower()
                if name not in _REFERENCES or not call.arguments:
                    continue
                argument = call.arguments[0]
                if not isinstance(argument, Literal) or not isinstance(argument.value, str):
                    text = f"The name that '{call.name}' is given must be a literal."
                    raise InvalidDefinition(template.pointer, text)
                known, what = self._known(name, place)
                if argument.value.lower() not in known:
                    text = f"'{call.name}' refers to {what} '{argument.value}', which is not there."
                    raise InvalidDefinition(template.pointer, text)

    def observed(self) -> frozenset[str]:
        """The names, in lower case, whose results an expression asks for."""
        return frozenset(
            call.arguments[0].value.lower()
            for template, _ in self.templates
            for call in template.calls()
            if call.name.lower() == "result" and isinstance(call.arguments[0], Literal)
        )

    def _known(self, function: str, place: Place) -> tuple[set[str], str]:
        if function == "parameters":
            return {name.lower() for name in self.parameters}, "the parameter"
        if function == "variables":
            return {name.lower() for name in self.variables}, "the variable"
        if function == "items":
            return set(place.loops), "the surrounding loop"
        return set(self.names), "the action"


_REFERENCES = {"parameters", "variables", "items", "actions", "outputs", "body", "result"}
