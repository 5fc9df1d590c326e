"""Evaluates expressions, and the JSON of a definition that holds some.

Pure but for what the context shows. A definition is compiled once: texts without an expression stay
as they are, and unknown functions, wrong numbers of arguments and unreadable expressions are found
then, with their place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emulator.logicapp.errors import ExpressionFailed, InvalidDefinition, SyntaxProblem
from emulator.logicapp.expressions.context import CONTEXT_FUNCTIONS, Context
from emulator.logicapp.expressions.functions import FUNCTIONS
from emulator.logicapp.expressions.syntax import (
    Access,
    Call,
    Expression,
    Interpolation,
    Literal,
    parse,
    parse_text,
)
from emulator.logicapp.expressions.values import to_json, to_text, type_name


@dataclass(frozen=True)
class Template:
    """A JSON value with expressions in it.

    Attributes:
        pointer: where it is in the definition.
        node: the value; expressions and texts with expressions are compiled, the rest is plain.
        is_constant: no expression is in it.
    """

    pointer: str
    node: Any
    is_constant: bool

    def value(self, context: Context) -> Any:
        """What it comes to; raises ExpressionFailed."""
        return self.node if self.is_constant else _value(self.node, context)

    def calls(self) -> Iterator[Call]:
        """Every call of a function in it."""
        return _calls(self.node)


def compile_template(value: Any, pointer: str) -> Template:
    """Compile a JSON value; raises InvalidDefinition with the place."""
    node, is_constant = _compile(value, pointer)
    return Template(pointer, node, is_constant)


def compile_expression(text: str, pointer: str) -> Template:
    """Compile a text that is an expression, with or without its `@`."""
    try:
        expression = parse(text.removeprefix("@"))
        _check(expression)
    except SyntaxProblem as problem:
        raise InvalidDefinition(pointer, f"The expression '{text}' is not valid: {problem}") from (
            problem
        )
    return Template(pointer, expression, False)


def escape_pointer(name: str) -> str:
    """A member's name as part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _compile(value: Any, pointer: str) -> tuple[Any, bool]:
    if isinstance(value, str):
        return _compile_text(value, pointer)
    if isinstance(value, list):
        found = [_compile(each, f"{pointer}/{number}") for number, each in enumerate(value)]
        return [node for node, _ in found], all(constant for _, constant in found)
    if isinstance(value, dict):
        nodes: dict[str, Any] = {}
        is_constant = True
        for name, each in value.items():
            if name.startswith("@"):
                raise InvalidDefinition(pointer, f"The member's name '{name}' is an expression.")
            nodes[name], constant = _compile(each, f"{pointer}/{escape_pointer(name)}")
            is_constant = is_constant and constant
        return nodes, is_constant
    return value, True


def _compile_text(text: str, pointer: str) -> tuple[Any, bool]:
    try:
        found = parse_text(text)
        if isinstance(found, Interpolation):
            for part in found.parts:
                if not isinstance(part, str):
                    _check(part)
        elif not isinstance(found, str):
            _check(found)
    except SyntaxProblem as problem:
        raise InvalidDefinition(pointer, f"The expression '{text}' is not valid: {problem}") from (
            problem
        )
    return found, isinstance(found, str)


def _check(expression: Expression) -> None:
    for call in _calls(expression):
        function = FUNCTIONS.get(call.name.lower()) or CONTEXT_FUNCTIONS.get(call.name.lower())
        if function is None:
            raise SyntaxProblem(f"the function '{call.name}' is not supported by the emulator.")
        count = len(call.arguments)
        if count < function.least or (function.most is not None and count > function.most):
            most = "any number of" if function.most is None else f"at most {function.most}"
            raise SyntaxProblem(
                f"the function '{function.name}' takes at least {function.least} and {most} "
                f"arguments, not {count}."
            )


def _calls(node: Any) -> Iterator[Call]:
    if isinstance(node, Call):
        yield node
        yield from _calls(list(node.arguments))
    elif isinstance(node, Access):
        yield from _calls([node.target, node.key])
    elif isinstance(node, Interpolation):
        yield from _calls([part for part in node.parts if not isinstance(part, str)])
    elif isinstance(node, list):
        for each in node:
            yield from _calls(each)
    elif isinstance(node, dict):
        yield from _calls(list(node.values()))


def _value(node: Any, context: Context) -> Any:
    if isinstance(node, Literal | Call | Access):
        return _evaluate(node, context)
    if isinstance(node, Interpolation):
        return "".join(
            part if isinstance(part, str) else to_text(_evaluate(part, context))
            for part in node.parts
        )
    if isinstance(node, dict):
        return {name: _value(each, context) for name, each in node.items()}
    if isinstance(node, list):
        return [_value(each, context) for each in node]
    return node


def _evaluate(expression: Expression, context: Context) -> Any:
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, Access):
        target = _evaluate(expression.target, context)
        return _select(target, _evaluate(expression.key, context), expression.is_safe)
    arguments = [_evaluate(argument, context) for argument in expression.arguments]
    name = expression.name.lower()
    seeing = CONTEXT_FUNCTIONS.get(name)
    if seeing is not None:
        return seeing.call(context, *arguments)
    return FUNCTIONS[name].call(*arguments)


def _select(target: Any, key: Any, is_safe: bool) -> Any:
    if target is None and is_safe:
        return None
    if isinstance(target, dict) and isinstance(key, str):
        if key in target or is_safe:
            return target.get(key)
        known = ", ".join(list(target)[:20])
        raise ExpressionFailed(
            f"The template language expression cannot be evaluated because property '{key}' "
            f"doesn't exist, available properties are '{known}'."
        )
    if isinstance(target, list) and isinstance(key, int) and not isinstance(key, bool):
        if 0 <= key < len(target):
            return target[key]
        if is_safe:
            return None
        raise ExpressionFailed(
            f"The template language expression cannot be evaluated because array index '{key}' is "
            f"outside bounds (0, {len(target) - 1}) of array."
        )
    if isinstance(target, list):
        raise ExpressionFailed(
            f"The template language expression cannot be evaluated because property {to_json(key)} "
            "cannot be selected. Array elements can only be selected using an integer index."
        )
    raise ExpressionFailed(
        f"The template language expression cannot be evaluated because property {to_json(key)} "
        "cannot be selected. Property selection is not supported on values of type "
        f"'{type_name(target)}'."
    )
