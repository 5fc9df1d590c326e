"""JSON in and out: numbers, nesting, text, and the canonical form."""

import pytest

from emulator.cosmos.errors import CosmosError
from emulator.cosmos.values import MAX_NESTING, UNDEFINED, dump, dump_plain, number, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.0", 1),
        ("-0", 0),
        ("1e3", 1000),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", 2.0**63),
        ("1e308", 1e308),
        ("0.1", 0.1),
        ("5e-324", 5e-324),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_numbers_are_exact_integers_or_doubles(text: str, value: float) -> None:
    found = parse(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e999", "{", "", "'a'", "[1,]", "01"]
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(CosmosError) as refused:
        parse(text)
    assert refused.value.status == 400


def test_huge_integer_texts_are_refused_or_become_doubles() -> None:
    assert parse("1" + "0" * 300) == 1e300
    with pytest.raises(CosmosError):
        parse("1" + "0" * 5000)


def test_nesting_has_a_limit_that_brackets_in_strings_do_not_count_for() -> None:
    parse("[" * MAX_NESTING + "]" * MAX_NESTING)
    parse('"' + "[" * 1000 + '"')
    parse('["\\"' + "{" * 1000 + '"]')
    parse("[" + ",".join(["[]"] * 1000) + "]")
    with pytest.raises(CosmosError, match="nested deeper"):
        parse("[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1))
    with pytest.raises(CosmosError, match="nested deeper"):
        parse("[" * 100_000)


def test_halves_of_pairs_are_replaced_and_pairs_kept() -> None:
    assert parse(rb'["\ud800", "\ud83d\ude00", "\uD800x"]') == ["\ufffd", "😀", "\ufffdx"]
    assert parse(rb'{"\udc00": {"a": ["\udc00"]}}') == {"\ufffd": {"a": ["\ufffd"]}}
    assert parse(r'"\\ud800"') == "\\ud800"


def test_bytes_must_be_utf_8_with_or_without_a_mark() -> None:
    assert parse("\ufeff{}".encode()) == {}
    with pytest.raises(CosmosError):
        parse(b'"\xff"')


def test_canonical_text_has_no_spaces_and_no_needless_escapes() -> None:
    assert dump({"é": [1, "a\nb", None, True]}) == '{"é":[1,"a\\nb",null,true]}'


def test_computed_numbers_are_written_as_they_are_stored() -> None:
    assert dump_plain(3.0) == "3"
    assert dump_plain(17 / 6) == "2.8333333333333335"
    assert number(2.0**60) == 2.0**60
    assert isinstance(number(2.0**60), float)
    assert not UNDEFINED
