"""Paths and headers of partition keys."""

from typing import Any

import pytest

from emulator.cosmos.errors import CosmosError
from emulator.cosmos.partition import (
    PartitionKey,
    header_of,
    parse_partition_key,
    parse_path,
    value_at,
)
from emulator.cosmos.values import UNDEFINED

ONE = PartitionKey((("a",),), False)
TWO = PartitionKey((("a",), ("b", "c")), True)


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("/id", ("id",)),
        ("/a/b/c", ("a", "b", "c")),
        ('/"a/b"/c', ("a/b", "c")),
        ("/'a b'", ("a b",)),
        ('/"level\' 1*()"/"le/vel2"', ("level' 1*()", "le/vel2")),
    ],
)
def test_paths_are_split_at_slashes_outside_quotes(text: str, segments: tuple[str, ...]) -> None:
    assert parse_path(text) == segments


@pytest.mark.parametrize("text", ["", "id", "/", "//a", "/a/", '/"open', '/"a"b'])
def test_other_paths_are_refused(text: str) -> None:
    with pytest.raises(CosmosError):
        parse_path(text)


def test_only_scalars_are_keys() -> None:
    body = {"a": {"b": 1, "list": [1]}, "n": None}
    assert value_at(body, ("a", "b")) == 1
    assert value_at(body, ("n",)) is None
    for path in (("a",), ("a", "list"), ("x",), ("n", "x"), ("a", "b", "c")):
        assert value_at(body, path) is UNDEFINED


@pytest.mark.parametrize("value", ["x", 1, 1.5, True, False, None])
def test_item_and_header_meet_in_the_same_key(value: Any) -> None:
    assert ONE.of_item({"a": value}) == ONE.of_header(header_of(value))
    assert TWO.of_item({"a": 1, "b": {"c": value}}) == TWO.of_header(header_of([1, value]))


def test_missing_value_is_the_empty_object_of_the_header() -> None:
    assert ONE.of_item({}) == ONE.of_header("[{}]") == ONE.of_header(header_of(UNDEFINED))
    assert ONE.of_item({"a": [1]}) == ONE.of_item({})
    assert ONE.of_item({"a": None}) != ONE.of_item({})


@pytest.mark.parametrize("header", [None, "[]", '["a","b"]'])
def test_point_operations_need_every_part(header: str | None) -> None:
    with pytest.raises(CosmosError) as refused:
        ONE.of_header(header)
    assert (refused.value.status, refused.value.substatus) == (400, 1001)


@pytest.mark.parametrize("header", ["x", "{}", '"a"', "[[1]]", '[{"a":1}]'])
def test_headers_that_hold_no_key_are_refused(header: str) -> None:
    with pytest.raises(CosmosError):
        ONE.of_header(header)


def test_prefix_covers_exactly_the_keys_below_it() -> None:
    start, end = TWO.range_of_header('["t"]')
    inside = TWO.of_item({"a": "t", "b": {"c": "u"}})
    outside = TWO.of_item({"a": "s", "b": {"c": "u"}})
    assert start <= inside < end
    assert not start <= outside < end
    start, end = TWO.range_of_header('["t","u"]')
    assert start <= inside < end
    assert not start <= TWO.of_item({"a": "t", "b": {"c": "v"}}) < end


def test_true_and_one_are_different_keys() -> None:
    """The caches of Python take them for the same."""
    assert ONE.of_header("[1]") != ONE.of_header("[true]")
    assert ONE.of_item({"a": 1}) != ONE.of_item({"a": True})


@pytest.mark.parametrize(
    "definition",
    [None, {}, {"paths": []}, {"paths": "/a"}, {"paths": [1]}, {"paths": ["/a"], "kind": "X"}],
)
def test_wrong_definitions_are_refused(definition: Any) -> None:
    with pytest.raises(CosmosError):
        parse_partition_key(definition)
