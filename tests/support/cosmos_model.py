"""A small reading of the query language's rules, to compare the compiled queries with.

Written from the specification's table of values and not from the emulator's code: it knows Python
values, an undefined one, and evaluates one expression for one row: the values of the names that
FROM gives. Functions are in `cosmos_model_functions`, subqueries, joins and aggregates in
`cosmos_model_queries`. Slow and short on purpose.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MISSING: Any = object()
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Term:
    """An expression: its text, and what it is for a row."""

    text: str
    of: Callable[[Row], Any]

    def __repr__(self) -> str:
        return self.text


def kind(value: Any) -> str:
    """The type's name."""
    if value is MISSING:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for name, types in (("number", (int, float)), ("string", str), ("array", list)):
        if isinstance(value, types):
            return name
    return "object"


ORDER = ["undefined", "null", "boolean", "number", "string", "array", "object"]


def sort_key(value: Any) -> tuple[int, Any]:
    """Scalars in the order of their types and values."""
    place = ORDER.index(kind(value))
    return place, value if kind(value) in ("boolean", "number", "string") else 0


def frozen(value: Any) -> Any:
    """A value that equals another exactly if the two are the same to a query."""
    if isinstance(value, list):
        return ("array", tuple(frozen(element) for element in value))
    if isinstance(value, dict):
        return ("object", frozenset((name, frozen(v)) for name, v in value.items()))
    return kind(value), value if value is not MISSING else 0


def constant(value: Any) -> Term:
    return Term("undefined" if value is MISSING else json.dumps(value), lambda _: value)


def parameter(value: Any) -> Term:
    """A constant that is handed over beside the query, under a name that tells it."""
    return Term(f"@v{json.dumps(value).encode().hex()}", lambda _: value)


def parameters_of(text: str) -> dict[str, Any]:
    """The parameters that a query's text names."""
    names = re.findall(r"@v[0-9a-f]+", text)
    return {name: json.loads(bytes.fromhex(name[2:])) for name in names}


def path(*keys: str | int, of: str = "c") -> Term:
    """A path into what a name of FROM stands for."""

    def found(row: Row) -> Any:
        value = row.get(of, MISSING)
        for key in keys:
            if isinstance(key, str) and isinstance(value, dict):
                value = value.get(key, MISSING)
            elif isinstance(key, int) and isinstance(value, list) and key < len(value):
                value = value[key]
            else:
                return MISSING
        return value

    return Term(of + "".join(f"[{json.dumps(key)}]" for key in keys), found)


def number(value: float) -> Any:
    """A computed number: an integer if it is one of 64 bits, undefined if it is none."""
    if isinstance(value, float) and not math.isfinite(value):
        return MISSING
    is_exact = isinstance(value, int) and -(2**63) <= value < 2**63
    return value if is_exact else float(value)


def compare(operator: str, left: Term, right: Term) -> Term:
    def of(row: Row) -> Any:
        a, b = left.of(row), right.of(row)
        if a is MISSING or b is MISSING:
            return MISSING
        if operator in ("=", "!="):
            return (frozen(a) == frozen(b)) == (operator == "=")
        if kind(a) != kind(b) or kind(a) not in ("boolean", "number", "string"):
            return MISSING
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]

    return Term(f"({left.text} {operator} {right.text})", of)


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def both(operator: str, left: Term, right: Term) -> Term:
    """AND and OR with three values."""
    decisive = operator == "OR"

    def of(row: Row) -> Any:
        values = [_truth(left.of(row)), _truth(right.of(row))]
        if decisive in values:
            return decisive
        return MISSING if None in values else not decisive

    return Term(f"({left.text} {operator} {right.text})", of)


def negate(operand: Term) -> Term:
    def of(row: Row) -> Any:
        value = _truth(operand.of(row))
        return MISSING if value is None else not value

    return Term(f"(NOT {operand.text})", of)


def contained(value: Term, choices: list[Any], *, negated: bool) -> Term:
    def of(row: Row) -> Any:
        found = value.of(row)
        if found is MISSING:
            return MISSING
        return (frozen(found) in [frozen(choice) for choice in choices]) != negated

    listed = ", ".join(json.dumps(choice) for choice in choices)
    return Term(f"({value.text} {'NOT ' if negated else ''}IN ({listed}))", of)


def between(value: Term, low: Term, high: Term) -> Term:
    parts = both("AND", compare(">=", value, low), compare("<=", value, high))
    return Term(f"({value.text} BETWEEN {low.text} AND {high.text})", parts.of)


def is_kind(name: str, operand: Term) -> Term:
    kinds = {
        "IS_DEFINED": ORDER[1:],
        "IS_NULL": ["null"],
        "IS_BOOL": ["boolean"],
        "IS_NUMBER": ["number"],
        "IS_STRING": ["string"],
        "IS_ARRAY": ["array"],
        "IS_OBJECT": ["object"],
        "IS_PRIMITIVE": ORDER[1:5],
    }[name]
    return Term(f"{name}({operand.text})", lambda row: kind(operand.of(row)) in kinds)


def calculate(operator: str, left: Term, right: Term) -> Term:
    """Arithmetic; what divides must not be zero."""
    calculations: dict[str, Callable[[Any, Any], Any]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        # Integers of 64 bits stay exact where the result is one.
        "/": lambda a, b: a // b if _are_whole(a, b) and a % b == 0 else a / b,
        # The remainder has the sign of what is divided.
        "%": lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1),
    }

    def of(row: Row) -> Any:
        a, b = left.of(row), right.of(row)
        if kind(a) != "number" or kind(b) != "number":
            return MISSING
        return number(calculations[operator](a, b))

    return Term(f"({left.text} {operator} {right.text})", of)


def _are_whole(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


def combine_bits(operator: str, left: Term, right: Term) -> Term:
    """`& | ^` of whole numbers."""

    def of(row: Row) -> Any:
        values = [left.of(row), right.of(row)]
        if any(kind(value) != "number" or value != math.floor(value) for value in values):
            return MISSING
        a, b = map(int, values)
        return number({"&": a & b, "|": a | b, "^": a ^ b}[operator])

    return Term(f"({left.text} {operator} {right.text})", of)


def signed(operator: str, operand: Term) -> Term:
    """`+ - ~` of a number."""

    def of(row: Row) -> Any:
        value = operand.of(row)
        if kind(value) != "number" or (operator == "~" and value != math.floor(value)):
            return MISSING
        return number({"+": value, "-": -value, "~": -value - 1}[operator])

    return Term(f"({operator} {operand.text})", of)


def concatenate(left: Term, right: Term) -> Term:
    def of(row: Row) -> Any:
        a, b = left.of(row), right.of(row)
        return a + b if isinstance(a, str) and isinstance(b, str) else MISSING

    return Term(f"({left.text} || {right.text})", of)


def coalesce(left: Term, right: Term) -> Term:
    def of(row: Row) -> Any:
        value = left.of(row)
        return right.of(row) if value is MISSING else value

    return Term(f"({left.text} ?? {right.text})", of)


def choose(condition: Term, then: Term, otherwise: Term) -> Term:
    def of(row: Row) -> Any:
        return then.of(row) if condition.of(row) is True else otherwise.of(row)

    return Term(f"({condition.text} ? {then.text} : {otherwise.text})", of)
