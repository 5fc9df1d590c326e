"""Queries over random items of mixed types, nulls and gaps answer what a small model says."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cosmos_model as model
from tests.support.cosmos_memory import MemoryContainer
from tests.support.cosmos_model import MISSING, Term, frozen, kind, sort_key

ODD = ["with space", 'quo"te', "_ünï", "back\\slash"]
# Few names and few values, so that paths meet something and values meet their likes.
names = st.sampled_from(["a"] * 8 + ["b"] * 4 + ODD)
texts = st.text(
    st.sampled_from(["a", "b", "A", "é", "ß", "😀", '"', "\\", "'", "%", "\n", " ", "1"]),
    max_size=3,
)
numbers = st.one_of(
    st.integers(-1, 2),
    st.sampled_from([0.5, -1.5, 1e10, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300]),
)
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
paths = st.one_of(
    names.map(model.path),
    names.map(model.path),
    st.lists(st.one_of(names, st.integers(0, 2)), min_size=1, max_size=3).map(
        lambda keys: model.path(*keys)
    ),
)
leaves = st.one_of(paths, paths, values.map(model.constant), st.just(model.constant(MISSING)))
COMPARISONS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


def _grown(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    return st.one_of(
        st.builds(model.compare, COMPARISONS, inner, inner),
        st.builds(model.both, st.sampled_from(["AND", "OR"]), inner, inner),
        st.builds(model.negate, inner),
        st.builds(
            model.contained, inner, st.lists(values, min_size=1, max_size=4), negated=st.booleans()
        ),
        st.builds(model.between, inner, leaves, leaves),
        st.builds(
            model.is_kind,
            st.sampled_from(
                [
                    *("IS_DEFINED", "IS_NULL", "IS_BOOL", "IS_NUMBER"),
                    *("IS_STRING", "IS_ARRAY", "IS_OBJECT", "IS_PRIMITIVE"),
                ]
            ),
            inner,
        ),
        st.builds(model.calculate, st.sampled_from(["+", "-", "*"]), inner, inner),
        st.builds(model.concatenate, inner, inner),
        st.builds(model.coalesce, inner, inner),
        st.builds(model.choose, inner, inner, inner),
        st.builds(
            model.text_test, st.sampled_from(["STARTSWITH", "ENDSWITH", "CONTAINS"]), inner, texts
        ),
        st.builds(model.array_contains, inner, values),
        st.builds(model.length, st.sampled_from(["LENGTH", "ARRAY_LENGTH"]), inner),
        st.builds(model.any_element, paths, COMPARISONS, values),
    )


terms = st.recursive(leaves, _grown, max_leaves=6)


@pytest.fixture(scope="module")
def container() -> Iterator[MemoryContainer]:
    made = MemoryContainer()
    yield made
    made.connection.close()


def stored(container: MemoryContainer, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put documents with ids in place of what was there."""
    container.clear()
    named = [{"id": str(number), **document} for number, document in enumerate(documents)]
    container.put(*named)
    return named


def same(left: Any, right: Any) -> bool:
    """Equal to a query, give or take the last digits of a calculation."""
    if kind(left) == kind(right) == "number":
        return left == right or math.isclose(left, right, rel_tol=1e-12)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(frozen(left) == frozen(right))


@settings(max_examples=300, deadline=None)
@given(documents=items, condition=terms)
def test_filters(
    container: MemoryContainer, documents: list[dict[str, Any]], condition: Term
) -> None:
    documents = stored(container, documents)
    expected = [item["id"] for item in documents if condition.of(item) is True]
    assert container.query(f"SELECT VALUE c.id FROM c WHERE {condition}") == expected
    opposite = [item["id"] for item in documents if condition.of(item) is False]
    assert container.query(f"SELECT VALUE c.id FROM c WHERE NOT {condition}") == opposite


@settings(max_examples=300, deadline=None)
@given(documents=items, first=terms, second=terms)
def test_projections(
    container: MemoryContainer, documents: list[dict[str, Any]], first: Term, second: Term
) -> None:
    documents = stored(container, documents)
    rows = container.query(f"SELECT {first} AS x, {second} AS y FROM c")
    expected = [
        {
            name: term.of(item)
            for name, term in (("x", first), ("y", second))
            if term.of(item) is not MISSING
        }
        for item in documents
    ]
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        assert row.keys() == wanted.keys()
        assert all(same(row[name], wanted[name]) for name in row)
    found = container.query(f"SELECT VALUE {first} FROM c")
    wanted_values = [first.of(item) for item in documents if first.of(item) is not MISSING]
    assert same(found, wanted_values)


@settings(max_examples=150, deadline=None)
@given(documents=items, key=paths, descending=st.booleans(), size=st.integers(1, 4))
def test_order_and_pages(
    container: MemoryContainer,
    documents: list[dict[str, Any]],
    key: Term,
    descending: bool,
    size: int,
) -> None:
    documents = stored(container, documents)
    ordered = sorted(documents, key=lambda item: sort_key(key.of(item)))
    if descending:
        ordered = ordered[::-1]
    way = "DESC" if descending else "ASC"
    query = f"SELECT VALUE c.id FROM c ORDER BY {key} {way}"
    found = container.query(query, size=size)
    by_id = {item["id"]: item for item in documents}
    keys = [sort_key(key.of(by_id[name])) for name in found]
    assert keys == [sort_key(key.of(item)) for item in ordered]
    if not any(kind(key.of(item)) in ("array", "object") for item in documents):
        assert found == [item["id"] for item in ordered]
    assert found == container.query(query)
    limited = f"{query} OFFSET 1 LIMIT 2"
    assert container.query(limited, size=size) == found[1:3]


@settings(max_examples=150, deadline=None)
@given(documents=items, key=paths, size=st.integers(1, 4))
def test_distinct_and_groups(
    container: MemoryContainer, documents: list[dict[str, Any]], key: Term, size: int
) -> None:
    documents = stored(container, documents)
    counted = Counter(frozen(key.of(item)) for item in documents)
    defined = [group for group in counted if group != frozen(MISSING)]
    found = container.query(f"SELECT DISTINCT VALUE {key} FROM c", size=size)
    assert [frozen(value) for value in found] == defined
    groups = container.query(f"SELECT {key} AS k, COUNT(1) AS n FROM c GROUP BY {key}", size=size)
    assert {frozen(row.get("k", MISSING)): row["n"] for row in groups} == counted


@settings(max_examples=150, deadline=None)
@given(documents=items, operand=terms)
def test_aggregates(
    container: MemoryContainer, documents: list[dict[str, Any]], operand: Term
) -> None:
    documents = stored(container, documents)
    given_values = [operand.of(item) for item in documents]
    defined = [value for value in given_values if value is not MISSING]
    assert container.query(f"SELECT VALUE COUNT({operand}) FROM c") == [len(defined)]
    total: Any = None
    if all(kind(value) == "number" for value in defined):
        total = sum(defined)
    assert same(container.query(f"SELECT VALUE SUM({operand}) FROM c"), [total])
    extremes: list[Any] = [None, None]
    if defined and not any(kind(value) in ("array", "object") for value in defined):
        extremes = [min(defined, key=sort_key), max(defined, key=sort_key)]
    for name, wanted in zip(("MIN", "MAX"), extremes, strict=True):
        assert same(container.query(f"SELECT VALUE {name}({operand}) FROM c"), [wanted])
