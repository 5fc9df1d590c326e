"""Comparisons, in the forms that SQLite can answer without a call back and with an index.

A path against a constant becomes a comparison of native values beside a test of the type. The test
is needed: JSON's true extracts as 1, and SQLite orders every text above every number. What cannot
be `true` may be NULL or 0 where only `true` counts (`is_filter`), which is what lets an index serve
a range; elsewhere a mismatch of types must be NULL.

Source: specification, sections 8.2 and 8.4.
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

from typing import Any

from emulator.cosmos.sql.operands import (
    Bindings,
    Condition,
    Const,
    Operand,
    PathOperand,
    Typed,
    balanced,
)
from emulator.cosmos.sql.operators import BINARY
from emulator.cosmos.sql.sqlite_names import OPERATOR_NAMES
from emulator.cosmos.values import UNDEFINED, dump

_MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
# Beyond this many strings or numbers, a list is handed over as one JSON array.
_LONG_LIST = 200


def type_test(path: PathOperand, value: Any) -> str | None:
    """The test that a path's value has the type of a scalar, or None for arrays and objects."""
    if isinstance(value, str):
        return f"{path.type} = 'text'"
    if isinstance(value, bool):
        return f"{path.type} IN ('true', 'false')"
    if isinstance(value, int | float):
        return f"{path.type} IN ('integer', 'real')"
    return None


def compare(
    operator: str, left: Operand, right: Operand, bindings: Bindings, *, is_filter: bool
) -> Operand:
    """One of `= != < <= > >=`."""
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(BINARY[operator](left.value, right.value), bindings)
    if isinstance(left, Const):
        left, right, operator = right, left, _MIRRORED[operator]
    if isinstance(right, Const) and right.value is UNDEFINED:
        return Condition("NULL")
    if isinstance(right, Const) and isinstance(left, PathOperand | Typed):
        sql = _with_constant(operator, left, right.value, bindings, is_filter=is_filter)
        if sql is not None:
            return Condition(sql)
    name = OPERATOR_NAMES[operator]
    return Condition(f"cosmos_{name}({left.json}, {right.json})")


def _with_constant(
    operator: str, left: PathOperand | Typed, value: Any, bindings: Bindings, *, is_filter: bool
) -> str | None:
    if operator == "!=":
        equal = _with_constant("=", left, value, bindings, is_filter=False)
        return None if equal is None else f"(NOT {equal})"
    if isinstance(left, Typed):
        return _typed_with_constant(operator, left, value, bindings)
    if operator == "=" and (value is None or isinstance(value, bool)):
        return f"({left.type} = '{dump(value)}')"
    if value is None or isinstance(value, list | dict):
        return None
    if operator == "=" and isinstance(value, str):
        return _equal_text(left, [value], bindings)
    test = type_test(left, value)
    comparison = f"{left.native} {operator} {bindings.add(value)}"
    is_plain = operator == "=" or is_filter
    return f"({comparison} AND {test})" if is_plain else f"(CASE WHEN {test} THEN {comparison} END)"


def _equal_text(left: PathOperand, values: list[str], bindings: Bindings) -> str:
    """Whether a path's value is one of some strings.

    The native value lets an index serve; the JSON text is exact, where SQLite's native value of a
    string ends at a NUL character.
    """
    exact = f"{left.json} {_one_of([dump(value) for value in values], bindings)}"
    if any("\0" in value for value in values):
        return f"({exact})"
    return f"({left.native} {_one_of(values, bindings)} AND {exact})"


def _one_of(constants: list[Any], bindings: Bindings) -> str:
    """The SQL behind a value that is one of some constants."""
    if len(constants) == 1:
        return f"= {bindings.add(constants[0])}"
    if len(constants) > _LONG_LIST:
        return f"IN (SELECT value FROM json_each({bindings.add(dump(constants))}))"
    return "IN (" + ", ".join(bindings.add(constant) for constant in constants) + ")"


def _typed_with_constant(operator: str, left: Typed, value: Any, bindings: Bindings) -> str:
    is_same = (
        isinstance(value, str)
        if left.kind == "text"
        else isinstance(value, int | float) and not isinstance(value, bool)
    )
    if is_same:
        return f"({left.native} {operator} {bindings.add(value)})"
    if operator == "=":
        return f"(CASE WHEN {left.native} IS NOT NULL THEN 0 END)"
    return "NULL"


def contained(
    value: Operand, choices: list[Operand], bindings: Bindings, *, is_filter: bool
) -> Operand:
    """`value IN (choices)`: undefined where the value is, else a boolean."""
    rest: list[Operand] = []
    strings: list[Any] = []
    numbers: list[Any] = []
    for choice in choices:
        constant = choice.value if isinstance(choice, Const) else None
        if isinstance(constant, str):
            strings.append(constant)
        elif isinstance(constant, int | float) and not isinstance(constant, bool):
            numbers.append(constant)
        elif not (isinstance(choice, Const) and choice.value is UNDEFINED):
            rest.append(choice)
    if not isinstance(value, PathOperand | Typed):
        return _any_equal(value, choices, bindings)
    parts = [compare("=", value, choice, bindings, is_filter=is_filter).truth for choice in rest]
    for constants in (strings, numbers):
        if constants:
            parts.append(_in_list(value, constants, bindings))
    if not parts:
        defined = value.type if isinstance(value, PathOperand) else value.native
        return Condition(f"(CASE WHEN {defined} IS NOT NULL THEN 0 END)")
    return Condition(balanced_or(parts))


def balanced_or(parts: list[str]) -> str:
    """Parts of which one must hold."""
    return parts[0] if len(parts) == 1 else balanced("OR", parts)


def _any_equal(value: Operand, choices: list[Operand], bindings: Bindings) -> Operand:
    if isinstance(value, Const) and all(isinstance(choice, Const) for choice in choices):
        if value.value is UNDEFINED:
            return value
        found = any(
            BINARY["="](value.value, choice.value) is True
            for choice in choices
            if isinstance(choice, Const)
        )
        return Const(found, bindings)
    parts = [
        f"coalesce({compare('=', value, choice, bindings, is_filter=False).truth}, 0)"
        for choice in choices
    ]
    return Condition(f"(CASE WHEN {value.json} IS NOT NULL THEN {balanced_or(parts)} END)")


def _in_list(value: PathOperand | Typed, constants: list[Any], bindings: Bindings) -> str:
    if isinstance(value, Typed):
        is_same = (value.kind == "text") == isinstance(constants[0], str)
        if not is_same:
            return f"(CASE WHEN {value.native} IS NOT NULL THEN 0 END)"
    if isinstance(value, PathOperand) and isinstance(constants[0], str):
        return _equal_text(value, constants, bindings)
    sql = f"{value.native} {_one_of(constants, bindings)}"
    if isinstance(value, PathOperand):
        return f"({sql} AND {type_test(value, constants[0])})"
    return f"({sql})"
