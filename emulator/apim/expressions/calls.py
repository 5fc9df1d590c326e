"""Chooses among the overloads of a member and makes the code of its call.

An argument that is a lambda gets the type of its parameter from the candidate that is tried; an
`out` argument declares or names a variable of the parameter's type.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.apim.expressions import syntax as s
from emulator.apim.expressions.errors import ExpressionError, ExpressionFailure
from emulator.apim.expressions.library.signatures import REQUIRED, Function, Parameter
from emulator.apim.expressions.operators import Code, Run, convert
from emulator.apim.expressions.types import Type, array, assignable, substitute, unify
from emulator.apim.expressions.values import NULL_REFERENCE, Frame

if TYPE_CHECKING:
    from emulator.apim.expressions.compiler import Compiler


@dataclass(frozen=True)
class Site:
    """A call as written: arguments that have a type of their own are compiled already."""

    position: int
    name: str
    arguments: tuple[s.Argument, ...]
    codes: tuple[Code | None, ...]
    type_arguments: tuple[Type, ...] = ()


@dataclass
class _Binding:
    """How the arguments of a site fill a candidate's parameters."""

    bound: dict[str, Type]
    runs: list[Run]
    outs: list[tuple[str, Type, bool]]
    conversions: int = 0
    spread: bool = False


class _DoesNotFit(Exception):
    pass


def call(
    compiler: "Compiler", candidates: Sequence[Function], receiver: Code | None, site: Site
) -> Code:
    """The code of the best candidate, the first of equals.

    Raises:
        ExpressionError: none takes these arguments.
    """
    best: tuple[Function, _Binding] | None = None
    for candidate in candidates:
        try:
            binding = _bind(compiler, candidate, receiver, site)
        except _DoesNotFit:
            continue
        if best is None or binding.conversions < best[1].conversions:
            best = candidate, binding
    if best is None:
        given = ", ".join(str(code.type) if code else "…" for code in site.codes)
        raise ExpressionError(f"{site.name} does not take the arguments ({given})", site.position)
    function, binding = best
    if function.reads_body is not None:
        compiler.reads.add(function.reads_body)
    kind = substitute(function.returns, binding.bound)
    run = _invocation(function, binding, receiver)
    return Code(kind, _with_outs(compiler, binding, run, site.position))


def _bind(compiler: "Compiler", function: Function, receiver: Code | None, site: Site) -> _Binding:
    binding = _Binding({}, [], [])
    if receiver is not None and not unify(
        function.owner, receiver.type, binding.bound, function.free
    ):
        raise _DoesNotFit
    _bind_type_arguments(function, site, binding)
    parameters = function.parameters or ()
    ordered = _ordered(parameters, site)
    for parameter, index in zip(parameters, ordered, strict=False):
        if parameter.rest:
            _bind_rest(parameter, site, ordered[len(parameters) - 1 :], binding)
            break
        if index is None:
            if parameter.default is REQUIRED:
                raise _DoesNotFit
            binding.runs.append(_constant(parameter.default))
        else:
            given = site.arguments[index].value, site.codes[index]
            _bind_argument(compiler, function, parameter, given, binding)
    return binding


def _bind_type_arguments(function: Function, site: Site, binding: _Binding) -> None:
    parameter = function.type_parameter
    if site.type_arguments:
        if parameter is None or len(site.type_arguments) != 1:
            raise _DoesNotFit
        binding.bound[parameter] = site.type_arguments[0]
    elif function.typed is not None and function.typed == parameter:
        raise _DoesNotFit


def _ordered(parameters: tuple[Parameter, ...], site: Site) -> list[int | None]:
    """For each parameter the number of its argument; a `rest` parameter may have several."""
    rest = bool(parameters) and parameters[-1].rest
    if len(site.arguments) > len(parameters) and not rest:
        raise _DoesNotFit
    ordered: list[int | None] = [None] * len(parameters)
    names = [parameter.name for parameter in parameters]
    for index, argument in enumerate(site.arguments):
        if argument.name is None:
            if index < len(ordered):
                ordered[index] = index
            else:
                ordered.append(index)
        elif argument.name in names:
            ordered[names.index(argument.name)] = index
        else:
            raise _DoesNotFit
    return ordered


def _bind_rest(
    parameter: Parameter, site: Site, indexes: Sequence[int | None], binding: _Binding
) -> None:
    element = parameter.type.args[0]
    codes = [site.codes[index] for index in indexes if index is not None]
    if len(codes) == 1 and codes[0] is not None and assignable(codes[0].type, array(element)):
        binding.runs.append(codes[0].run)
        binding.spread = True
        return
    for code in codes:
        if code is None or not assignable(code.type, element):
            raise _DoesNotFit
        binding.conversions += 1
        binding.runs.append(convert(code, element).run)


def _bind_argument(
    compiler: "Compiler",
    function: Function,
    parameter: Parameter,
    given: tuple[s.Node, Code | None],
    binding: _Binding,
) -> None:
    node, code = given
    if isinstance(node, s.Out) or parameter.out:
        if not (isinstance(node, s.Out) and parameter.out):
            raise _DoesNotFit
        kind = substitute(parameter.type, binding.bound)
        binding.outs.append((node.name, kind, node.declares))
        return
    if isinstance(node, s.Lambda):
        binding.runs.append(_bind_lambda(compiler, function, parameter, node, binding))
        return
    assert code is not None
    if not unify(parameter.type, code.type, binding.bound, function.free):
        raise _DoesNotFit
    target = substitute(parameter.type, binding.bound)
    binding.conversions += code.type != target
    binding.runs.append(convert(code, target).run)


def _bind_lambda(
    compiler: "Compiler",
    function: Function,
    parameter: Parameter,
    node: s.Lambda,
    binding: _Binding,
) -> Run:
    if parameter.type.name != "Func":
        raise _DoesNotFit
    takes, gives = parameter.type.args
    body, slot = compiler.lambda_body(node, substitute(takes, binding.bound))
    if not unify(gives, body.type, binding.bound, function.free):
        raise ExpressionError(f"the lambda gives {body.type}, wanted {gives}", node.position)
    run = body.run

    def make(frame: Frame) -> Callable[[Any], Any]:
        def apply(value: Any) -> Any:
            frame.step()
            frame.slots[slot] = value
            return run(frame)

        return apply

    return make


def _constant(value: object) -> Run:
    return lambda _: value


def _invocation(function: Function, binding: _Binding, receiver: Code | None) -> Run:
    """What calls the function: frame and type first where it wants them, then the receiver."""
    target, runs, python = receiver.run if receiver else None, binding.runs, function.call
    if function.framed or function.typed is not None or binding.spread:
        return _general(function, binding, receiver)
    if target is None:
        return lambda frame: python(*[run(frame) for run in runs])
    if not runs:

        def without_arguments(frame: Frame) -> Any:
            value = target(frame)
            if value is None:
                raise ExpressionFailure(NULL_REFERENCE)
            return python(value)

        return without_arguments

    def with_arguments(frame: Frame) -> Any:
        value = target(frame)
        if value is None:
            raise ExpressionFailure(NULL_REFERENCE)
        return python(value, *[run(frame) for run in runs])

    return with_arguments


def _general(function: Function, binding: _Binding, receiver: Code | None) -> Run:
    prefix: list[Any] = []
    if function.typed is not None:
        prefix.append(binding.bound[function.typed])

    def run(frame: Frame) -> Any:
        arguments: list[Any] = [frame, *prefix] if function.framed else list(prefix)
        if receiver is not None:
            value = receiver.run(frame)
            if value is None:
                raise ExpressionFailure(NULL_REFERENCE)
            arguments.append(value)
        values = [part(frame) for part in binding.runs]
        if binding.spread:
            values[-1:] = list(values[-1])
        return function.call(*arguments, *values)

    return run


def _with_outs(compiler: "Compiler", binding: _Binding, run: Run, position: int) -> Run:
    if not binding.outs:
        return run
    slots = [
        compiler.declare(name, kind, position)
        if declares
        else compiler.variable(name, kind, position)
        for name, kind, declares in binding.outs
    ]

    def assign(frame: Frame) -> Any:
        result, *values = run(frame)
        for slot, value in zip(slots, values, strict=True):
            frame.slots[slot] = value
        return result

    return assign
