"""What a dead letter's headers tell."""

import pytest

from activities import dead_letters


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ('"MaxDeliveryCountExceeded"', "MaxDeliveryCountExceeded"),
        ('"a \\"quoted\\" word"', 'a "quoted" word'),
        ("plain", "plain"),
        ("7", "7"),
        (None, None),
    ],
)
def test_property_is_read_from_its_header(header: str | None, told: str | None) -> None:
    assert dead_letters._text(header) == told
