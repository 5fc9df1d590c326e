"""What `orders submit` reads: one order, an array, a batch, NDJSON; anything else is named."""

from pathlib import Path

import pytest

from cli.inputs import BadInput, parse_orders, read_text


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('{"id": "A"}', ["A"]),
        ('[{"id": "A"}, {"id": "B"}]', ["A", "B"]),
        ('{"orders": [{"id": "A"}, {"id": "B"}]}', ["A", "B"]),
        ('{"id": "A"}\n\n{"id": "B"}\n', ["A", "B"]),
    ],
)
def test_every_form_of_input_gives_the_orders_in_order(text: str, ids: list[str]) -> None:
    assert [order["id"] for order in parse_orders(text, "file")] == ids


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no orders"),
        ("[]", "no orders"),
        ("[1]", "entry 1 is not a JSON object"),
        ('"A"', "entry 1 is not a JSON object"),
        ('{"id": "A"}\nid;B', "line 2: not JSON"),
    ],
)
def test_what_is_not_orders_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_orders(text, "file")


def test_standard_input_is_called_by_its_name() -> None:
    with pytest.raises(BadInput, match=r"^Standard input holds no orders"):
        parse_orders("", "-")


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Cannot read"):
        read_text(str(tmp_path / "none.json"))
    binary = tmp_path / "orders.bin"
    binary.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(BadInput, match="not UTF-8"):
        read_text(str(binary))


def test_a_byte_order_mark_is_not_part_of_the_orders(tmp_path: Path) -> None:
    marked = tmp_path / "orders.json"
    marked.write_bytes(b'\xef\xbb\xbf{"id": "A"}')
    assert parse_orders(read_text(str(marked)), "file") == [{"id": "A"}]
