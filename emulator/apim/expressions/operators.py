"""Types and code of the unary and binary operators, and of conversions and casts."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.apim.expressions.errors import ExpressionError, ExpressionFailure
from emulator.apim.expressions.kinds import is_instance
from emulator.apim.expressions.library.json import CONVERSIONS
from emulator.apim.expressions.library.numbers import add
from emulator.apim.expressions.types import (
    BOOL,
    CHAR,
    DATE_TIME,
    DOUBLE,
    INT,
    NULL,
    OBJECT,
    STRING,
    TIME_SPAN,
    Type,
    assignable,
    common,
    is_value_type,
)
from emulator.apim.expressions.values import (
    NULL_REFERENCE,
    Char,
    Frame,
    divide,
    int32,
    limited,
    remainder,
    to_text,
)

Run = Callable[[Frame], Any]
_NUMERIC = (INT, DOUBLE, CHAR)
_ORDERED = (*_NUMERIC, DATE_TIME, TIME_SPAN)
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_INT_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: int32(a + b),
    "-": lambda a, b: int32(a - b),
    "*": lambda a, b: int32(a * b),
    "/": divide,
    "%": remainder,
}
_DOUBLE_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": remainder,
}
_TIMES: dict[tuple[str, Type, Type], tuple[Type, Callable[[Any, Any], Any]]] = {
    ("+", DATE_TIME, TIME_SPAN): (DATE_TIME, add),
    ("-", DATE_TIME, TIME_SPAN): (DATE_TIME, lambda a, b: add(a, -b)),
    ("-", DATE_TIME, DATE_TIME): (TIME_SPAN, operator.sub),
    ("+", TIME_SPAN, TIME_SPAN): (TIME_SPAN, operator.add),
    ("-", TIME_SPAN, TIME_SPAN): (TIME_SPAN, operator.sub),
}
# Types whose `==` compares values; other reference types compare identities, which no policy means.
_COMPARABLE = {"string", "int", "double", "bool", "char", "Guid", "DateTime", "TimeSpan"}


@dataclass(frozen=True)
class Code:
    """A compiled part: its static type and what computes it."""

    type: Type
    run: Run


def unary(symbol: str, operand: Code, position: int) -> Code:
    """`!operand` or `-operand`."""
    run = operand.run
    if symbol == "!" and operand.type == BOOL:
        return Code(BOOL, lambda frame: not run(frame))
    if symbol == "-" and operand.type == INT:
        return Code(INT, lambda frame: int32(-run(frame)))
    if symbol == "-" and operand.type == DOUBLE:
        return Code(DOUBLE, lambda frame: -run(frame))
    raise ExpressionError(f"`{symbol}` cannot be applied to {operand.type}", position)


def binary(  # noqa: PLR0911 - one line for each family of operators
    symbol: str, left: Code, right: Code, position: int
) -> Code:
    """`left symbol right`."""
    if symbol in ("&&", "||"):
        return _logical(symbol, left, right, position)
    if symbol in ("==", "!="):
        return _equality(symbol, left, right, position)
    if symbol == "??":
        return _coalesce(left, right, position)
    if symbol in _COMPARISONS:
        return _comparison(symbol, left, right, position)
    if symbol == "+" and STRING in (left.type, right.type):
        return _concatenation(left, right)
    timed = _TIMES.get((symbol, left.type, right.type))
    if timed is not None:
        return _plain(timed[0], timed[1], left, right)
    if left.type in _NUMERIC and right.type in _NUMERIC:
        if DOUBLE in (left.type, right.type):
            call = _DOUBLE_ARITHMETIC[symbol]
            return _plain(DOUBLE, call, convert(left, DOUBLE), convert(right, DOUBLE))
        return _plain(INT, _INT_ARITHMETIC[symbol], convert(left, INT), convert(right, INT))
    raise _inapplicable(symbol, left, right, position)


def _inapplicable(symbol: str, left: Code, right: Code, position: int) -> ExpressionError:
    hint = ""
    if OBJECT in (left.type, right.type):
        hint = "; cast the object first, as in (string)context.Variables[…]"
    return ExpressionError(
        f"`{symbol}` cannot be applied to {left.type} and {right.type}{hint}", position
    )


def _plain(kind: Type, call: Callable[[Any, Any], Any], left: Code, right: Code) -> Code:
    first, second = left.run, right.run
    return Code(kind, lambda frame: call(first(frame), second(frame)))


def _logical(symbol: str, left: Code, right: Code, position: int) -> Code:
    if left.type != BOOL or right.type != BOOL:
        raise _inapplicable(symbol, left, right, position)
    first, second = left.run, right.run
    if symbol == "&&":
        return Code(BOOL, lambda frame: first(frame) and second(frame))
    return Code(BOOL, lambda frame: first(frame) or second(frame))


def _concatenation(left: Code, right: Code) -> Code:
    first, second = left.run, right.run
    if left.type == right.type == STRING:
        return Code(STRING, lambda frame: limited((first(frame) or "") + (second(frame) or "")))
    return Code(STRING, lambda frame: limited(to_text(first(frame)) + to_text(second(frame))))


def _bare(kind: Type) -> Type:
    return kind.args[0] if kind.name == "Nullable" else kind


def _equality(symbol: str, left: Code, right: Code, position: int) -> Code:
    first, second = left.run, right.run
    if NULL in (left.type, right.type):
        other = right.type if left.type == NULL else left.type
        if is_value_type(other):
            raise ExpressionError(f"{other} is never null", position)
        run: Run = lambda frame: first(frame) is second(frame)  # noqa: E731 - one of two forms
    else:
        a, b = _bare(left.type), _bare(right.type)
        numeric = a in _NUMERIC and b in _NUMERIC
        enumeration = a == b and a.name in ("StringComparison", "Formatting")
        if not (numeric or enumeration or (a == b and a.name in _COMPARABLE)):
            raise _inapplicable(symbol, left, right, position)
        if numeric and a != b:
            first, second = _ordinal(left).run, _ordinal(right).run
        run = lambda frame: first(frame) == second(frame)  # noqa: E731 - the other form
    if symbol == "==":
        return Code(BOOL, run)
    return Code(BOOL, lambda frame: not run(frame))


def _ordinal(code: Code) -> Code:
    """The code with chars turned into numbers."""
    return convert(code, INT) if code.type == CHAR else code


def _comparison(symbol: str, left: Code, right: Code, position: int) -> Code:
    a, b = _bare(left.type), _bare(right.type)
    if not ((a in _NUMERIC and b in _NUMERIC) or (a == b and a in _ORDERED)):
        raise _inapplicable(symbol, left, right, position)
    call = _COMPARISONS[symbol]
    first, second = _ordinal(left).run, _ordinal(right).run

    def run(frame: Frame) -> bool:
        x, y = first(frame), second(frame)
        # A comparison with a null value is false, whichever it is.
        return x is not None and y is not None and bool(call(x, y))

    return Code(BOOL, run)


def _coalesce(left: Code, right: Code, position: int) -> Code:
    if is_value_type(left.type):
        raise ExpressionError(f"{left.type} is never null, so `??` is without effect", position)
    bare = _bare(left.type)
    kind = bare if assignable(right.type, bare) else common(left.type, right.type)
    if kind is None:
        raise _inapplicable("??", left, right, position)
    first, second = left.run, convert(right, kind).run

    def run(frame: Frame) -> Any:
        value = first(frame)
        return second(frame) if value is None else value

    return Code(kind, run)


def convert(code: Code, target: Type) -> Code:
    """The code as a value of a type that it is assignable to."""
    run = code.run
    if code.type == target:
        return code
    if code.type == CHAR and target in (INT, DOUBLE):
        return Code(target, lambda frame: ord(run(frame)))
    if code.type == INT and _bare(target) == DOUBLE:
        return Code(target, lambda frame: float(run(frame)))
    return Code(target, run)


def cast(code: Code, target: Type, position: int) -> Code:
    """`(target)code`."""
    source, run = code.type, code.run
    if source == target or (assignable(source, target) and target != OBJECT):
        return convert(code, target)
    if target == OBJECT:
        return Code(OBJECT, run)
    if source.name == "JToken" and target.name in CONVERSIONS:
        to = CONVERSIONS[target.name]
        return Code(target, lambda frame: to(run(frame)))
    if source == DOUBLE and target == INT:
        return Code(INT, lambda frame: _truncated(run(frame)))
    if source == INT and target == CHAR:
        return Code(CHAR, lambda frame: Char(chr(run(frame) & 0xFFFF)))
    if source == OBJECT or assignable(target, source) or _bare(source) == target:
        return Code(target, lambda frame: _checked(run(frame), target))
    raise ExpressionError(f"{source} cannot be cast to {target}", position)


def _truncated(value: float) -> int:
    return int(value) if abs(value) < 2**31 else -(2**31)


def _checked(value: object, target: Type) -> object:
    if value is None:
        if is_value_type(target):
            raise ExpressionFailure(NULL_REFERENCE)
        return None
    if not is_instance(value, target):
        raise ExpressionFailure(f"Unable to cast an object of another type to {target}.")
    return value
