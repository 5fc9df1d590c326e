"""The built-in functions in the small reading of the query language's rules (`cosmos_model`)."""

import json
import math
from collections.abc import Callable
from typing import Any

from tests.support.cosmos_model import MISSING, Row, Term, constant, frozen, kind, number


def apply(name: str, *arguments: Term, kinds: str, result: Callable[..., Any]) -> Term:
    """A function that is undefined unless its arguments are of these types, a word for each."""

    def of(row: Row) -> Any:
        values = [argument.of(row) for argument in arguments]
        if [kind(value) for value in values] != kinds.split():
            return MISSING
        return result(*values)

    return Term(f"{name}({', '.join(argument.text for argument in arguments)})", of)


TESTS: dict[str, Callable[[str, str], bool]] = {
    "STARTSWITH": lambda text, part: text[: len(part)] == part,
    "ENDSWITH": lambda text, part: part == "" or text[-len(part) :] == part,
    "CONTAINS": lambda text, part: part in text,
    "STRINGEQUALS": lambda text, part: text == part,
}


def text_test(name: str, value: Term, part: Term, *, ignores_case: bool) -> Term:
    """STARTSWITH and its like, with the case ignored or not."""
    if not ignores_case:
        return apply(name, value, part, kinds="string string", result=TESTS[name])

    def ignoring(text: str, part: str, _: bool) -> bool:
        return TESTS[name](text.lower(), part.lower())

    arguments = value, part, constant(True)
    return apply(name, *arguments, kinds="string string boolean", result=ignoring)


TEXTS: dict[str, Callable[[str], Any]] = {
    "LOWER": str.lower,
    "UPPER": str.upper,
    "LENGTH": len,
    "TRIM": str.strip,
    "LTRIM": str.lstrip,
    "RTRIM": str.rstrip,
}


def of_text(name: str, value: Term) -> Term:
    """A function of one string."""
    return apply(name, value, kinds="string", result=TEXTS[name])


CUTS: dict[str, Callable[[str, int], str]] = {
    "LEFT": lambda text, count: text[:count],
    "RIGHT": lambda text, count: text[len(text) - min(count, len(text)) :],
}


def cut(name: str, value: Term, count: int) -> Term:
    """LEFT and RIGHT, by no less than nothing."""
    return apply(name, value, constant(count), kinds="string number", result=CUTS[name])


def part(value: Term, start: int, count: int) -> Term:
    """SUBSTRING from no less than the first character."""
    return apply(
        "SUBSTRING",
        value,
        constant(start),
        constant(count),
        kinds="string number number",
        result=lambda text, start, count: text[start : start + count],
    )


def joined(*values: Term) -> Term:
    """CONCAT."""
    kinds = " ".join(["string"] * len(values))
    return apply("CONCAT", *values, kinds=kinds, result=lambda *texts: "".join(texts))


def replaced(value: Term, old: str, new: Term) -> Term:
    """REPLACE of what is not empty."""
    return apply(
        "REPLACE",
        value,
        constant(old),
        new,
        kinds="string string string",
        result=lambda text, old, new: new.join(text.split(old)),
    )


def place(value: Term, wanted: Term) -> Term:
    """INDEX_OF."""
    return apply("INDEX_OF", value, wanted, kinds="string string", result=str.find)


def _rounded(value: float) -> float:
    """To the nearest whole number, halves away from zero."""
    if value == math.floor(value):
        return value
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


NUMBERS: dict[str, Callable[[Any], Any]] = {
    "ABS": abs,
    "CEILING": math.ceil,
    "FLOOR": math.floor,
    "ROUND": _rounded,
    "TRUNC": int,
    "SIGN": lambda value: (value > 0) - (value < 0),
    "SQRT": lambda value: MISSING if value < 0 else math.sqrt(value),
}


def of_number(name: str, value: Term) -> Term:
    """A function of one number."""

    def result(value: float) -> Any:
        found = NUMBERS[name](value)
        return found if found is MISSING else number(found)

    return apply(name, value, kinds="number", result=result)


def squared(value: Term) -> Term:
    """POWER by two."""

    def result(value: float, _: int) -> Any:
        return number(float(value) * float(value))

    return apply("POWER", value, constant(2), kinds="number number", result=result)


def as_text(value: Term) -> Term:
    """TOSTRING of what is no number, and holds none."""

    def of(row: Row) -> Any:
        found = value.of(row)
        return found if isinstance(found, str) else {True: "true", False: "false"}[found]

    is_simple = f"(IS_STRING({value.text}) OR IS_BOOL({value.text}))"
    text = f"({is_simple} ? TOSTRING({value.text}) : null)"
    return Term(text, lambda row: of(row) if kind(value.of(row)) in ("string", "boolean") else None)


def iif(condition: Term, then: Term, otherwise: Term) -> Term:
    """IIF."""

    def of(row: Row) -> Any:
        return then.of(row) if condition.of(row) is True else otherwise.of(row)

    return Term(f"IIF({condition.text}, {then.text}, {otherwise.text})", of)


def array_contains(value: Term, wanted: Term) -> Term:
    """ARRAY_CONTAINS of a whole element."""

    def of(row: Row) -> Any:
        found, element = value.of(row), wanted.of(row)
        if not isinstance(found, list) or element is MISSING:
            return MISSING
        return frozen(element) in [frozen(each) for each in found]

    return Term(f"ARRAY_CONTAINS({value.text}, {wanted.text})", of)


def array_length(value: Term) -> Term:
    """ARRAY_LENGTH."""
    return apply("ARRAY_LENGTH", value, kinds="array", result=len)


def like(value: Term, pattern: list[str], *, negated: bool) -> Term:
    """LIKE.

    Args:
        pattern: `%`, `_`, a class such as `[ab]`, `[^ab]` or `[a-f]`, or `=` and a character for
            itself.
    """

    def of(row: Row) -> Any:
        found = value.of(row)
        return _matches(found, pattern) != negated if isinstance(found, str) else MISSING

    signs = [f"!{sign[1]}" if sign in ("=%", "=_", "=[", "=!") else sign for sign in pattern]
    text = json.dumps("".join(sign.removeprefix("=") for sign in signs))
    word = "NOT LIKE" if negated else "LIKE"
    return Term(f"({value.text} {word} {text} ESCAPE '!')", of)


def _matches(text: str, pattern: list[str]) -> bool:
    if not pattern:
        return not text
    sign, rest = pattern[0], pattern[1:]
    if sign == "%":
        return any(_matches(text[at:], rest) for at in range(len(text) + 1))
    return bool(text) and _fits(text[0], sign) and _matches(text[1:], rest)


def _fits(character: str, sign: str) -> bool:
    if sign == "_":
        return True
    if sign[0] == "=":
        return character == sign[1]
    members = sign[1:-1]
    is_negated = members[0] == "^"
    members = members[is_negated:]
    if members[1:2] == "-":
        return (members[0] <= character <= members[2]) != is_negated
    return (character in members) != is_negated
