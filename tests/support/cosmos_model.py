"""A small reading of the query language's rules, to compare the compiled queries with.

Written from the specification's table of values and not from the emulator's code: it knows Python
values, an undefined one, and evaluates one expression on one item. Slow and short on purpose.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MISSING: Any = object()
Item = dict[str, Any]


@dataclass(frozen=True)
class Term:
    """An expression: its text, and what it is on an item."""

    text: str
    of: Callable[[Item], Any]

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


def path(*keys: str | int) -> Term:
    def of(item: Item) -> Any:
        value: Any = item
        for key in keys:
            if isinstance(key, str) and isinstance(value, dict):
                value = value.get(key, MISSING)
            elif isinstance(key, int) and isinstance(value, list) and key < len(value):
                value = value[key]
            else:
                return MISSING
        return value

    return Term("c" + "".join(f"[{json.dumps(key)}]" for key in keys), of)


def compare(operator: str, left: Term, right: Term) -> Term:
    def of(item: Item) -> Any:
        a, b = left.of(item), right.of(item)
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

    def of(item: Item) -> Any:
        values = [_truth(left.of(item)), _truth(right.of(item))]
        if decisive in values:
            return decisive
        return MISSING if None in values else not decisive

    return Term(f"({left.text} {operator} {right.text})", of)


def negate(operand: Term) -> Term:
    def of(item: Item) -> Any:
        value = _truth(operand.of(item))
        return MISSING if value is None else not value

    return Term(f"(NOT {operand.text})", of)


def contained(value: Term, choices: list[Any], *, negated: bool) -> Term:
    def of(item: Item) -> Any:
        found = value.of(item)
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
    return Term(f"{name}({operand.text})", lambda item: kind(operand.of(item)) in kinds)


def calculate(operator: str, left: Term, right: Term) -> Term:
    def of(item: Item) -> Any:
        a, b = left.of(item), right.of(item)
        if kind(a) != "number" or kind(b) != "number":
            return MISSING
        result = {"+": a + b, "-": a - b, "*": a * b}[operator]
        if isinstance(result, float) and not math.isfinite(result):
            return MISSING
        is_exact = isinstance(result, int) and -(2**63) <= result < 2**63
        return result if is_exact else float(result)

    return Term(f"({left.text} {operator} {right.text})", of)


def concatenate(left: Term, right: Term) -> Term:
    def of(item: Item) -> Any:
        a, b = left.of(item), right.of(item)
        return a + b if isinstance(a, str) and isinstance(b, str) else MISSING

    return Term(f"({left.text} || {right.text})", of)


def coalesce(left: Term, right: Term) -> Term:
    def of(item: Item) -> Any:
        value = left.of(item)
        return right.of(item) if value is MISSING else value

    return Term(f"({left.text} ?? {right.text})", of)


def choose(condition: Term, then: Term, otherwise: Term) -> Term:
    def of(item: Item) -> Any:
        return then.of(item) if condition.of(item) is True else otherwise.of(item)

    return Term(f"({condition.text} ? {then.text} : {otherwise.text})", of)


def text_test(name: str, value: Term, part: str) -> Term:
    test = {"STARTSWITH": str.startswith, "ENDSWITH": str.endswith, "CONTAINS": str.__contains__}

    def of(item: Item) -> Any:
        found = value.of(item)
        return test[name](found, part) if isinstance(found, str) else MISSING

    return Term(f"{name}({value.text}, {json.dumps(part)})", of)


def array_contains(value: Term, wanted: Any) -> Term:
    def of(item: Item) -> Any:
        found = value.of(item)
        if not isinstance(found, list):
            return MISSING
        return frozen(wanted) in [frozen(element) for element in found]

    return Term(f"ARRAY_CONTAINS({value.text}, {json.dumps(wanted)})", of)


def length(name: str, value: Term) -> Term:
    wanted = str if name == "LENGTH" else list

    def of(item: Item) -> Any:
        found = value.of(item)
        return len(found) if isinstance(found, wanted) else MISSING

    return Term(f"{name}({value.text})", of)


def any_element(collection: Term, operator: str, wanted: Any) -> Term:
    """EXISTS over the elements of an array."""
    element = Term("e", lambda item: item["element"])

    def of(item: Item) -> Any:
        found = collection.of(item)
        if not isinstance(found, list):
            return False
        test = compare(operator, element, constant(wanted))
        return any(test.of({"element": each}) is True for each in found)

    text = f"SELECT VALUE 1 FROM e IN {collection.text} WHERE e {operator} {json.dumps(wanted)}"
    return Term(f"EXISTS({text})", of)
