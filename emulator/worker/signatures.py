"""Checks a function's parameters against its bindings, and plans how to call it.

Azure's worker refuses the whole app when one function's signature does not fit its decorators; so
does this, with the worker's texts. What passes becomes a `FunctionPlan`: which converter each
parameter takes, where the return value goes, and whether the function wants the context.

Left out: SDK-type (deferred) bindings and streaming HTTP, which use other protocols; their
annotations are refused by name.

Source: the Python worker's function registry, checked against azure-functions-runtime 1.3.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.functions import get_binding_registry

from .generic import GenericConverter

_IN, _OUT, _INOUT = 0, 1, 2
_UNDEFINED_DATA_TYPE = 0
# Type hints that `typing` builds but the worker does not take for generic types.
_NOT_GENERIC = (typing.Union, types.UnionType, tuple, typing.ClassVar, Callable)


class FunctionLoadError(RuntimeError):
    """A function whose signature does not fit its bindings; the whole app fails to load."""

    def __init__(self, function_name: str, message: str) -> None:
        super().__init__(f"cannot load the {function_name} function: {message}")


@dataclass(frozen=True, slots=True)
class BoundParameter:
    """How one parameter is converted: by which binding's converter, for which annotated type."""

    binding_type: str
    annotation: Any


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """All that calling a function takes.

    Attributes:
        returns: the binding that takes the return value, or None where it must be None.
        trigger_name: the parameter that the trigger fills.
    """

    name: str
    function: Callable[..., Any]
    directory: str
    inputs: Mapping[str, BoundParameter]
    outputs: Mapping[str, BoundParameter]
    returns: BoundParameter | None
    wants_context: bool
    is_async: bool
    trigger_name: str
    trigger_type: str


def converter(binding_type: str) -> Any:
    """The class that decodes and encodes a binding's values."""
    registry: Any = get_binding_registry()  # type: ignore[no-untyped-call]  # the library's
    return registry.get(binding_type) or GenericConverter


def has_implicit_output(binding_type: str) -> bool:
    """Whether a return value goes to this binding though nothing is named `$return`."""
    found = converter(binding_type)
    if found is GenericConverter:
        return GenericConverter.has_implicit_output(binding_type)
    return bool(getattr(found, "has_implicit_output", lambda: False)())


def plan_function(function: Any) -> FunctionPlan:
    """Check one decorated function and plan its calls.

    Args:
        function: as `FunctionRegister.get_functions()` lists it.
    Raises:
        FunctionLoadError: its signature does not fit; the text is the worker's.
    """
    name, call = function.get_function_name(), function.get_user_function()
    if inspect.isasyncgenfunction(call):
        raise FunctionLoadError(
            name, "async generators are not supported: a function returns one value"
        )
    parameters = dict(inspect.signature(call).parameters)
    hints = typing.get_type_hints(call)
    bindings = function.get_bindings()
    for binding in bindings:
        _check_direction(name, binding)
    bound = {binding.name: binding for binding in bindings if binding.name != "$return"}
    wants_context = _takes_context(name, parameters, bound, hints)
    _check_names(name, set(parameters), set(bound))
    inputs: dict[str, BoundParameter] = {}
    outputs: dict[str, BoundParameter] = {}
    for parameter in parameters:
        binding = bound[parameter]
        planned = _plan_parameter(name, binding, parameter in hints, hints.get(parameter))
        (outputs if int(binding.direction) == _OUT else inputs)[parameter] = planned
    trigger = function.get_trigger()
    return FunctionPlan(
        name=name,
        function=call,
        directory=str(Path(inspect.getfile(call)).parent),
        inputs=inputs,
        outputs=outputs,
        returns=_plan_return(name, bindings, hints),
        wants_context=wants_context,
        is_async=inspect.iscoroutinefunction(call),
        trigger_name=trigger.name,
        trigger_type=trigger.type,
    )


def _check_direction(function_name: str, binding: Any) -> None:
    if int(binding.direction) == _INOUT:
        raise FunctionLoadError(function_name, '"inout" bindings are not supported')
    if binding.name == "$return" and int(binding.direction) != _OUT:
        raise FunctionLoadError(function_name, '"$return" binding must have direction set to "out"')


def _takes_context(
    function_name: str,
    parameters: dict[str, Any],
    bound: Mapping[str, Any],
    hints: Mapping[str, Any],
) -> bool:
    """Whether `context` is the invocation's; takes it out of the parameters if so."""
    if "context" not in parameters or "context" in bound:
        return False
    del parameters["context"]
    if "context" in hints:
        annotation = hints["context"]
        if not isinstance(annotation, type) or annotation.__name__ != "Context":
            raise FunctionLoadError(
                function_name,
                'the "context" parameter is expected to be of type azure.functions.Context, '
                f'got "{annotation!r}"',
            )
    return True


def _check_names(function_name: str, parameters: set[str], bound: set[str]) -> None:
    if parameters - bound:
        raise FunctionLoadError(
            function_name,
            "the following parameters are declared in Python but not in the function definition "
            f"(function.json or function decorators):  {parameters - bound!r}",
        )
    if bound - parameters:
        raise FunctionLoadError(
            function_name,
            "Extra parameters in binding definition — the following parameters are declared as "
            f"bindings but are not present in Python: {bound - parameters!r}",
        )


def _plan_parameter(
    function_name: str, binding: Any, annotated: bool, annotation: Any
) -> BoundParameter:
    is_out_binding = int(binding.direction) == _OUT
    is_out = annotated and _is_out(annotation)
    wanted = _out_argument(function_name, binding.name, annotation) if is_out else annotation
    if annotated:
        _refuse_extension_type(function_name, binding.name, wanted)
        if not isinstance(wanted, type) and not _is_generic(wanted):
            raise FunctionLoadError(
                function_name,
                f"binding {binding.name} has invalid non-type annotation {annotation!r}",
            )
    if is_out_binding and annotated and not is_out:
        raise FunctionLoadError(
            function_name,
            f'binding {binding.name} is declared to have the "out" direction, but its annotation '
            "in Python is not a subclass of azure.functions.Out",
        )
    if not is_out_binding and is_out:
        raise FunctionLoadError(
            function_name,
            f'binding {binding.name} is declared to have the "in" direction in the binding '
            "decorator, but its annotation is azure.functions.Out in Python",
        )
    binding_type = binding.type
    if annotated and wanted in (str, bytes) and not has_implicit_output(binding_type):
        binding_type = "generic"
    if annotated:
        _check_type(function_name, binding, binding_type, wanted, is_out=is_out)
    return BoundParameter(binding_type, wanted)


def _is_out(annotation: Any) -> bool:
    origin = typing.get_origin(annotation) or annotation
    return isinstance(origin, type) and origin.__name__ == "Out"


def _out_argument(function_name: str, binding_name: str, annotation: Any) -> Any:
    arguments = typing.get_args(annotation)
    if len(arguments) != 1:
        raise FunctionLoadError(
            function_name, f"binding {binding_name} has invalid Out annotation {annotation!r}"
        )
    return arguments[0]


def _is_generic(annotation: Any) -> bool:
    """Whether `typing` built this generic type; `list[str]` and unions are none of them."""
    if isinstance(annotation, type):
        return issubclass(annotation, typing.Generic)
    if isinstance(annotation, types.GenericAlias | types.UnionType):
        return False
    origin = typing.get_origin(annotation)
    return origin is not None and origin not in _NOT_GENERIC


def _refuse_extension_type(function_name: str, binding_name: str, annotation: Any) -> None:
    module = str(getattr(annotation, "__module__", ""))
    if module.startswith("azurefunctions.extensions"):
        raise FunctionLoadError(
            function_name,
            f"binding {binding_name} uses {module}.{getattr(annotation, '__name__', annotation)}: "
            "SDK-type bindings and streaming HTTP are not supported by the local emulator",
        )


def _check_type(
    function_name: str, binding: Any, binding_type: str, annotation: Any, *, is_out: bool
) -> None:
    found = converter(binding_type)
    check = found.check_output_type_annotation if is_out else found.check_input_type_annotation
    if check(annotation):
        return
    named = getattr(annotation, "__name__", repr(annotation))
    # The worker compares by identity, so a data type that was left out is not "undefined".
    if binding.data_type is None or int(binding.data_type) != _UNDEFINED_DATA_TYPE:
        raise FunctionLoadError(
            function_name,
            f'binding type "{binding.name!r}" and dataType "{binding.type}" in the binding '
            "decorator do not match the corresponding function parameter's Python type annotation "
            f"{named}",
        )
    raise FunctionLoadError(
        function_name,
        f'type of {binding.name} binding in the binding decorator "{binding.type}" does not match '
        f'its Python annotation "{named}"',
    )


def _plan_return(
    function_name: str, bindings: list[Any], hints: Mapping[str, Any]
) -> BoundParameter | None:
    """Where the return value goes: an explicit `$return` before a trigger's implicit output."""
    explicit = [binding.type for binding in bindings if binding.name == "$return"]
    implicit = [binding.type for binding in bindings if has_implicit_output(binding.type)]
    if explicit:
        annotation = hints.get("return")
        if "return" in hints:
            _check_return(function_name, explicit[0], annotation)
        return BoundParameter(explicit[0], annotation)
    if implicit:
        return BoundParameter(implicit[-1], hints.get("return"))
    return None


def _check_return(function_name: str, binding_type: str, annotation: Any) -> None:
    if _is_out(annotation):
        raise FunctionLoadError(
            function_name, "return annotation should not be azure.functions.Out"
        )
    if not isinstance(annotation, type):
        raise FunctionLoadError(
            function_name, f"has invalid non-type return annotation {annotation!r}"
        )
    if not converter(binding_type).check_output_type_annotation(annotation):
        raise FunctionLoadError(
            function_name,
            f'Python return annotation "{annotation.__name__}" does not match binding type '
            f'"{binding_type}"',
        )
