"""Built-in functions that SQLite can compute itself, for the arguments where it can.

Everything else calls back into `functions`; these are the ones that filters use most.
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

from collections.abc import Callable

from emulator.cosmos.sql.operands import (
    Bindings,
    Condition,
    Const,
    Document,
    Operand,
    PathOperand,
    Typed,
)

_TYPES = {
    "IS_NULL": "'null'",
    "IS_BOOL": "'true', 'false'",
    "IS_NUMBER": "'integer', 'real'",
    "IS_STRING": "'text'",
    "IS_ARRAY": "'array'",
    "IS_OBJECT": "'object'",
    "IS_PRIMITIVE": "'null', 'true', 'false', 'integer', 'real', 'text'",
}


def native_function(
    name: str, arguments: list[Operand], bindings: Bindings, alias: Callable[[], str]
) -> Operand | None:
    """The operand for a call, or None where SQLite has to call back."""
    first = arguments[0]
    found: Operand | None = None
    if name == "IS_DEFINED":
        found = Condition(f"({_type(first)} IS NOT NULL)")
    elif not isinstance(first, PathOperand):
        found = None
    elif name in _TYPES:
        found = Condition(f"coalesce({first.type} IN ({_TYPES[name]}), 0)")
    elif name == "ARRAY_LENGTH":
        length = f"json_array_length({first.document}, {first.path})"
        length = f"(CASE WHEN {first.type} = 'array' THEN {length} END)"
        found = Typed(length, "number", f"CAST({length} AS TEXT)")
    elif len(arguments) == 2 and isinstance(arguments[1], Const):
        if name == "ARRAY_CONTAINS":
            found = _array_contains(first, arguments[1], bindings, alias())
        else:
            found = _text_test(name, first, arguments[1].value, bindings)
    return found


def _type(operand: Operand) -> str:
    if isinstance(operand, PathOperand):
        return operand.type
    if isinstance(operand, Typed):
        return operand.native
    return "1" if isinstance(operand, Document) else operand.json


def _text_test(name: str, path: PathOperand, part: object, bindings: Bindings) -> Operand | None:
    # SQLite's text functions stop at a NUL character.
    if not isinstance(part, str) or not part or "\0" in part:
        return None
    text = bindings.add(part)
    if name == "CONTAINS":
        test = f"instr({path.native}, {text}) > 0"
    elif name == "STARTSWITH":
        test = f"substr({path.native}, 1, {len(part)}) = {text}"
    else:
        return None
    return Condition(f"(CASE WHEN {path.type} = 'text' THEN {test} END)")


def _array_contains(
    path: PathOperand, value: Const, bindings: Bindings, alias: str
) -> Operand | None:
    if isinstance(value.value, str):
        types = "'text'"
    elif isinstance(value.value, int | float) and not isinstance(value.value, bool):
        types = "'integer', 'real'"
    else:
        return None
    found = (
        f"EXISTS (SELECT 1 FROM json_each({path.document}, {path.path}) AS {alias} "
        f"WHERE {alias}.type IN ({types}) AND {alias}.atom = {bindings.add(value.value)})"
    )
    return Condition(f"(CASE WHEN {path.type} = 'array' THEN {found} END)")
