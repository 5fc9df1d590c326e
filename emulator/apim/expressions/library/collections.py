"""Members of arrays, lists and whatever can be enumerated."""

from collections.abc import Callable
from typing import Any

from emulator.apim.expressions.errors import ExpressionFailure
from emulator.apim.expressions.library.signatures import function as f
from emulator.apim.expressions.values import default_of, iterate

_EMPTY = "Sequence contains no elements"


def at(items: Any, index: int) -> Any:
    """`items[index]`."""
    if not 0 <= index < len(items):
        raise ExpressionFailure("Index was outside the bounds of the array.")
    return items[index]


def _first(items: Any) -> Any:
    for item in iterate(items):
        return item
    raise ExpressionFailure(_EMPTY)


def _last(items: Any) -> Any:
    found = list(iterate(items))
    if not found:
        raise ExpressionFailure(_EMPTY)
    return found[-1]


def _first_that(items: Any, test: Callable[[Any], bool]) -> Any:
    for item in iterate(items):
        if test(item):
            return item
    raise ExpressionFailure("Sequence contains no matching element")


# One signature, one line.
# ruff: noqa: E501
FUNCTIONS = [
    f("IEnumerable<E>.Count(): int", lambda s: sum(1 for _ in iterate(s))),
    f("IEnumerable<E>.Count(Func<E,bool> test): int", lambda s, t: sum(map(bool, map(t, iterate(s))))),
    f("IEnumerable<E>.Any(): bool", lambda s: any(True for _ in iterate(s))),
    f("IEnumerable<E>.Any(Func<E,bool> test): bool", lambda s, t: any(t(x) for x in iterate(s))),
    f("IEnumerable<E>.All(Func<E,bool> test): bool", lambda s, t: all(t(x) for x in iterate(s))),
    f("IEnumerable<E>.First(): E", _first),
    f("IEnumerable<E>.First(Func<E,bool> test): E", _first_that),
    f(
        "IEnumerable<E>.FirstOrDefault(): E",
        lambda kind, s: next(iterate(s), default_of(kind)),
        typed="E",
    ),
    f(
        "IEnumerable<E>.FirstOrDefault(Func<E,bool> test): E",
        lambda kind, s, t: next((x for x in iterate(s) if t(x)), default_of(kind)),
        typed="E",
    ),
    f("IEnumerable<E>.Last(): E", _last),
    f("IEnumerable<E>.Contains(E item): bool", lambda s, item: any(x == item for x in iterate(s))),
    f("IEnumerable<E>.Select<R>(Func<E,R> map): IEnumerable<R>", lambda s, m: [m(x) for x in iterate(s)]),
    f(
        "IEnumerable<E>.Where(Func<E,bool> test): IEnumerable<E>",
        lambda s, t: [x for x in iterate(s) if t(x)],
    ),
    f("IEnumerable<E>.ToList(): List<E>", lambda s: list(iterate(s))),
    f("IEnumerable<E>.ToArray(): E[]", lambda s: list(iterate(s))),
    f("Array<E>.Length: int", len),
    f("Array<E>.[](int index): E", at),
    f("List<E>.Count: int", len),
    f("List<E>.[](int index): E", at),
]  # fmt: skip
