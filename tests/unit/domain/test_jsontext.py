"""What strict reading refuses, and with which reason."""

import pytest

from domain.jsontext import MAX_DEPTH, NotJson, decode, encode


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "not UTF-8 at byte 0"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "at character"),
        (b"{} {}", "Extra data"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "too large"),
        (b"1" * 5000, "too large"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' is told twice"),
        (b"[" * 100_000, "nested deeper"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested deeper"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
    ],
)
def test_what_is_not_json_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(NotJson, match=reason):
        decode(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    depth = MAX_DEPTH
    assert decode(b"[" * depth + b"]" * depth) is not None


def test_a_whole_surrogate_pair_is_a_letter() -> None:
    assert decode(b'"\\ud83d\\ude00"') == "😀"


def test_encoding_keeps_letters_and_adds_no_blanks() -> None:
    assert encode({"name": "Café", "n": [1, 2]}) == '{"name":"Café","n":[1,2]}'
