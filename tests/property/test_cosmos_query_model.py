"""Queries over random items of mixed types, nulls and gaps answer what a small model says.

`COSMOS_MODEL_TIMES=20` draws twenty times as many examples.
"""

import math
import os
from collections.abc import Callable, Iterator
from functools import cmp_to_key
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cosmos_model as model
from tests.support import cosmos_model_functions as functions
from tests.support import cosmos_model_queries as queries
from tests.support.cosmos_memory import MemoryContainer
from tests.support.cosmos_model import MISSING, Row, Term, frozen, kind, parameters_of, sort_key

TIMES = int(os.environ.get("COSMOS_MODEL_TIMES", "1"))
ODD = ["with space", 'quo"te', "_ünï", "back\\slash"]
# Few names and few values, so that paths meet something and values meet their likes.
names = st.sampled_from(["a"] * 8 + ["b"] * 4 + ODD)
SIGNS = ["a", "b", "A", "é", "ß", "😀", '"', "\\", "'", "%", "\n", " ", "1"]
texts = st.text(st.sampled_from(SIGNS), max_size=3)
some_text = st.text(st.sampled_from(SIGNS), min_size=1, max_size=2)
numbers = st.one_of(
    st.integers(-1, 2),
    st.sampled_from([0.5, -1.5, 1e10, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300]),
)
divisors = st.sampled_from([1, 2, 3, -4, 0.5, 7, -1.5]).map(model.constant)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
nested = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=5,
)
TWINS = [{"a": 1, "b": 2}, {"b": 2, "a": 1}, [{"a": 1, "b": 2}], [{"b": 2, "a": 1}]]
values = st.one_of(st.booleans(), scalars, scalars, nested, st.sampled_from(TWINS))
# Values that are easily taken for one another are there in every example.
BASE: list[dict[str, Any]] = [
    {"a": value}
    for value in (*TWINS, True, False, None, 1, 0, 1.5, "", "1", "true", "null", [], {}, [1])
]
items = st.lists(st.dictionaries(names, values, max_size=4), max_size=6).map(
    lambda documents: [*documents, *BASE, {}]
)
COMPARISONS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
AGGREGATES = st.sampled_from(["COUNT", "SUM", "AVG", "MIN", "MAX"])
IS_FUNCTIONS = st.sampled_from(
    [
        *("IS_DEFINED", "IS_NULL", "IS_BOOL", "IS_NUMBER"),
        *("IS_STRING", "IS_ARRAY", "IS_OBJECT", "IS_PRIMITIVE"),
    ]
)
signs_of_like = st.one_of(
    st.sampled_from(["%", "%", "_", "[ab]", "[^ab]", "[a1%]", "[1-b]", "[^A-a]", "[b-a]"]),
    st.sampled_from([f"={sign}" for sign in (*SIGNS, "_", "[", "!")]),
)
Terms = st.SearchStrategy[Term]


def paths(of: str = "c") -> Terms:
    keys = st.lists(st.one_of(names, st.integers(0, 2)), min_size=1, max_size=3)
    one = names.map(lambda key: model.path(key, of=of))
    return st.one_of(one, one, keys.map(lambda keys: model.path(*keys, of=of)))


def leaves(*of: str) -> Terms:
    """Paths into what is in scope, and constants."""
    inner = [st.just(model.path(of=name)) for name in of if name != "c"]
    return st.one_of(
        *[paths(name) for name in of for _ in range(2)],
        *inner,
        values.map(model.constant),
        values.map(model.parameter),
        st.just(model.constant(MISSING)),
    )


def one_of(*choices: Terms) -> Terms:
    """One of these, with a short name: Hypothesis writes strategies out, each within the other."""

    @st.composite
    def chosen(draw: st.DrawFn) -> Term:
        return draw(st.one_of(*choices))

    return chosen()


def plain(inner: Terms) -> Terms:
    """Operators, once around what is within."""
    return one_of(
        st.builds(model.compare, COMPARISONS, inner, inner),
        st.builds(model.both, st.sampled_from(["AND", "OR"]), inner, inner),
        st.builds(model.negate, inner),
        st.builds(
            model.contained, inner, st.lists(values, min_size=1, max_size=4), negated=st.booleans()
        ),
        st.builds(model.between, inner, inner, inner),
        st.builds(model.is_kind, IS_FUNCTIONS, inner),
        st.builds(model.calculate, st.sampled_from(["+", "-", "*"]), inner, inner),
        st.builds(model.calculate, st.sampled_from(["/", "%"]), inner, divisors),
        st.builds(model.combine_bits, st.sampled_from(["&", "|", "^"]), inner, inner),
        st.builds(model.signed, st.sampled_from(["+", "-", "~"]), inner),
        st.builds(model.concatenate, inner, inner),
        st.builds(model.coalesce, inner, inner),
        st.builds(model.choose, inner, inner, inner),
        st.builds(
            functions.like, inner, st.lists(signs_of_like, max_size=4), negated=st.booleans()
        ),
    )


def calls(inner: Terms) -> Terms:
    """Functions, once around what is within."""
    text = st.one_of(inner, texts.map(model.constant))
    counts = st.integers(0, 3)
    return one_of(
        st.builds(
            functions.text_test,
            st.sampled_from(sorted(functions.TESTS)),
            inner,
            text,
            ignores_case=st.booleans(),
        ),
        st.builds(functions.of_text, st.sampled_from(sorted(functions.TEXTS)), inner),
        st.builds(functions.cut, st.sampled_from(sorted(functions.CUTS)), inner, counts),
        st.builds(functions.part, inner, counts, counts),
        st.builds(functions.joined, inner, text),
        st.builds(functions.replaced, inner, some_text, text),
        st.builds(functions.place, inner, text),
        st.builds(functions.of_number, st.sampled_from(sorted(functions.NUMBERS)), inner),
        st.builds(functions.squared, inner),
        st.builds(functions.as_text, inner),
        st.builds(functions.iif, inner, inner, inner),
        st.builds(functions.array_contains, inner, inner),
        st.builds(functions.array_length, inner),
    )


def subqueries(scope: tuple[str, ...], name: str) -> Terms:
    """Subqueries over the elements of an array that a path leads to."""
    within = st.recursive(leaves(*scope, name), plain, max_leaves=3)
    collections = st.one_of(*[paths(each) for each in scope])
    one = st.just(name)
    return one_of(
        st.builds(queries.exists, one, collections, within),
        st.builds(queries.array_of, one, collections, within, within),
        st.builds(queries.aggregate_of, AGGREGATES, one, collections, within),
    )


terms = st.recursive(
    leaves("c"),
    lambda inner: one_of(plain(inner), calls(inner), subqueries(("c",), "e")),
    max_leaves=6,
)
# What a row of a join is asked: of the item, of the element, of the element within.
joined_terms = st.recursive(
    leaves("c", "x", "y"),
    lambda inner: one_of(plain(inner), calls(inner), subqueries(("c", "x"), "e")),
    max_leaves=4,
)


def draws(examples: int) -> settings:
    return settings(max_examples=examples * TIMES, deadline=None)


@pytest.fixture(scope="module")
def container() -> Iterator[MemoryContainer]:
    made = MemoryContainer()
    yield made
    made.connection.close()


def stored(container: MemoryContainer, documents: list[dict[str, Any]]) -> list[Row]:
    """Put documents with ids in place of what was there; a row for each."""
    container.clear()
    named = [{"id": str(number), **document} for number, document in enumerate(documents)]
    container.put(*named)
    return [{"c": document} for document in named]


def ask(container: MemoryContainer, query: str, *, size: int = 2**31 - 1) -> list[Any]:
    """What a query answers, given the parameters that it names."""
    try:
        return container.query(query, size=size, named=parameters_of(query))
    except Exception as error:
        error.add_note(query)
        raise


def same(left: Any, right: Any) -> bool:
    """Equal to a query, give or take the last digits of a calculation."""
    if kind(left) == kind(right) == "number":
        return left == right or math.isclose(left, right, rel_tol=1e-12)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(frozen(left) == frozen(right))


def named(row: Row, **columns: Term) -> dict[str, Any]:
    """What a list of named expressions gives for a row."""
    found = {name: term.of(row) for name, term in columns.items()}
    return {name: value for name, value in found.items() if value is not MISSING}


def compare(query: str, found: list[Any], wanted: list[Any]) -> None:
    """Rows as the model says; else the first that differs is told."""
    for one, other in zip_longest(found, wanted, fillvalue=MISSING):
        are_rows = isinstance(one, dict) and isinstance(other, dict)
        if are_rows and one.keys() == other.keys():
            is_same = all(same(one[name], other[name]) for name in one)
        else:
            is_same = same(one, other)
        assert is_same, f"{query}: {one!r}, and the model says {other!r}"


@draws(300)
@given(documents=items, condition=terms)
def test_filters(
    container: MemoryContainer, documents: list[dict[str, Any]], condition: Term
) -> None:
    rows = stored(container, documents)
    expected = [row["c"]["id"] for row in rows if condition.of(row) is True]
    assert ask(container, f"SELECT VALUE c.id FROM c WHERE {condition}") == expected
    opposite = [row["c"]["id"] for row in rows if condition.of(row) is False]
    assert ask(container, f"SELECT VALUE c.id FROM c WHERE NOT {condition}") == opposite


@draws(300)
@given(documents=items, first=terms, second=terms)
def test_projections(
    container: MemoryContainer, documents: list[dict[str, Any]], first: Term, second: Term
) -> None:
    rows = stored(container, documents)
    query = f"SELECT {first} AS x, {second} AS y FROM c"
    compare(query, ask(container, query), [named(row, x=first, y=second) for row in rows])
    query = f"SELECT VALUE {first} FROM c"
    wanted = [first.of(row) for row in rows if first.of(row) is not MISSING]
    compare(query, ask(container, query), wanted)


within = st.one_of(paths("x"), paths("x"), paths("c"), st.just(model.path(of="x")))


@draws(200)
@given(
    documents=items,
    sources=st.tuples(paths(), within),
    asked=st.tuples(joined_terms, joined_terms),
    size=st.integers(1, 4),
)
def test_joins(
    container: MemoryContainer,
    documents: list[dict[str, Any]],
    sources: tuple[Term, Term],
    asked: tuple[Term, Term],
    size: int,
) -> None:
    (outer, inner), (condition, value) = sources, asked
    rows = stored(container, documents)
    for name, collection in (("x", outer), ("y", inner)):
        rows = [each for row in rows for each in queries.elements(row, name, collection)]
    query = (
        f"SELECT c.id, x, y, {value} AS v FROM c JOIN x IN {outer} JOIN y IN {inner} "
        f"WHERE {condition}"
    )
    columns = {"x": model.path(of="x"), "y": model.path(of="y"), "v": value}
    wanted = [
        named(row, id=model.path("id"), **columns) for row in rows if condition.of(row) is True
    ]
    compare(query, ask(container, query, size=size), wanted)


Place = tuple[int, Row]


def ordering(keys: list[tuple[Term, bool]]) -> Callable[[Place, Place], int]:
    """Compares rows by several keys; what is equal goes by age, the way of the last key."""

    def compare(one: Place, other: Place) -> int:
        for term, descends in keys:
            left, right = sort_key(term.of(one[1])), sort_key(term.of(other[1]))
            if left != right:
                return 1 if (left > right) != descends else -1
        return other[0] - one[0] if keys[-1][1] else one[0] - other[0]

    return compare


keys_of_order = st.lists(st.tuples(terms, st.booleans()), min_size=1, max_size=3)


@draws(200)
@given(documents=items, keys=keys_of_order, size=st.integers(1, 4))
def test_order_and_pages(
    container: MemoryContainer,
    documents: list[dict[str, Any]],
    keys: list[tuple[Term, bool]],
    size: int,
) -> None:
    rows = stored(container, documents)
    ordered = [row for _, row in sorted(enumerate(rows), key=cmp_to_key(ordering(keys)))]
    clauses = ", ".join(f"{term} {'DESC' if descends else 'ASC'}" for term, descends in keys)
    query = f"SELECT VALUE c.id FROM c ORDER BY {clauses}"
    found = ask(container, query, size=size)
    if any(kind(term.of(row)) in ("array", "object") for term, _ in keys for row in rows):
        # Arrays and objects come last, in an order of their own.
        by_id = {row["c"]["id"]: row for row in rows}
        first = keys[0][0]
        places = [sort_key(first.of(by_id[each])) for each in found]
        assert places == [sort_key(first.of(row)) for row in ordered]
    else:
        assert found == [row["c"]["id"] for row in ordered]
    assert found == ask(container, query)
    assert ask(container, f"{query} OFFSET 1 LIMIT 2", size=size) == found[1:3]
    skipped, most = model.parameter(2), model.parameter(3)
    assert ask(container, f"{query} OFFSET {skipped} LIMIT {most}", size=size) == found[2:5]
    top = query.replace("SELECT", f"SELECT TOP {most}", 1)
    assert ask(container, top, size=size) == found[:3]


@draws(150)
@given(documents=items, key=terms, size=st.integers(1, 4))
def test_distinct(
    container: MemoryContainer, documents: list[dict[str, Any]], key: Term, size: int
) -> None:
    rows = stored(container, documents)
    wanted = dict.fromkeys(frozen(key.of(row)) for row in rows)
    wanted.pop(frozen(MISSING), None)
    found = ask(container, f"SELECT DISTINCT VALUE {key} FROM c", size=size)
    assert [frozen(value) for value in found] == list(wanted)


@draws(150)
@given(documents=items, key=terms, operand=terms, size=st.integers(1, 4))
def test_groups(
    container: MemoryContainer,
    documents: list[dict[str, Any]],
    key: Term,
    operand: Term,
    size: int,
) -> None:
    rows = stored(container, documents)
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        groups.setdefault(frozen(key.of(row)), []).append(operand.of(row))
    columns = {"n": "COUNT", "s": "SUM", "m": "AVG", "least": "MIN", "most": "MAX"}
    listed = ", ".join(f"{function}({operand}) AS {name}" for name, function in columns.items())
    query = f"SELECT {key} AS k, {listed} FROM c GROUP BY {key}"
    found = {frozen(row.pop("k", MISSING)): row for row in ask(container, query, size=size)}
    assert found.keys() == groups.keys()
    for group, given_values in groups.items():
        wanted = {name: queries.aggregate(f, given_values) for name, f in columns.items()}
        compare(query, [found[group]], [{n: v for n, v in wanted.items() if v is not MISSING}])


@draws(150)
@given(documents=items, operand=terms, condition=terms)
def test_aggregates(
    container: MemoryContainer, documents: list[dict[str, Any]], operand: Term, condition: Term
) -> None:
    rows = [row for row in stored(container, documents) if condition.of(row) is True]
    for function in ("COUNT", "SUM", "AVG", "MIN", "MAX"):
        wanted = queries.aggregate(function, [operand.of(row) for row in rows])
        query = f"SELECT VALUE {function}({operand}) FROM c WHERE {condition}"
        # The client sees a null where the aggregate is undefined.
        compare(query, ask(container, query), [None if wanted is MISSING else wanted])
