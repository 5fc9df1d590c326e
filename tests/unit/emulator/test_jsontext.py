"""JSON from outside is read, or refused as one kind of error."""

import pytest

from emulator import jsontext


def test_what_is_json_is_read() -> None:
    assert jsontext.read(b'{"a": [1, 2.5, "\\u00e9\\ud83d\\ude00", null]}') == {
        "a": [1, 2.5, "é😀", None]
    }
    assert jsontext.read('"é"') == "é"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"NaN",
        b"-Infinity",
        b"\xff",
        b"[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        b'"\\ud800"',
        '"\\udfff"',
        '"\ud800"',
        '{"\\ud800": 1}',
        "9" * 5000,
    ],
)
def test_anything_else_is_a_value_error(data: bytes | str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        jsontext.read(data)
