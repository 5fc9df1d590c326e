"""What an order costs, to the last smallest unit."""

from decimal import Decimal
from typing import Any

import pytest

from domain.order import Order, parse_order
from domain.rules import Rates, price, rounded
from tests.support.orders import a_line, an_order


def order_of(currency: str, *lines: tuple[int, Any]) -> Order:
    told = [a_line(quantity=quantity, unitPrice=amount) for quantity, amount in lines]
    order, found = parse_order(an_order(currency=currency, lines=told))
    assert order is not None, found
    return order


def test_lines_add_up_to_subtotal_and_parts_to_total() -> None:
    rates = Rates(Decimal(10), Decimal(20), Decimal("1.1432"))
    totals = price(order_of("GBP", (2, "19.90"), (1, "0.05")), rates).to_dict()
    assert totals == {
        "currency": "GBP",
        "lines": ["39.80", "0.05"],
        "subtotal": "39.85",
        "discount": "3.99",
        "tax": "7.17",
        "total": "43.03",
        "base": {"currency": "EUR", "total": "49.19"},
    }


def test_a_price_of_four_decimals_is_rounded_line_by_line() -> None:
    totals = price(order_of("EUR", (3, "6.2250"), (1, "6.2250")), Rates())
    assert totals.line_totals == (Decimal("18.68"), Decimal("6.23"))
    assert totals.subtotal == Decimal("24.91")


def test_yen_have_no_decimals_and_dinars_have_three() -> None:
    assert price(order_of("JPY", (1, "10.5")), Rates()).to_dict()["total"] == "11"
    assert price(order_of("KWD", (1, "10.0005")), Rates()).to_dict()["total"] == "10.001"


def test_a_return_is_the_sale_with_a_minus() -> None:
    rates = Rates(Decimal("7.5"), Decimal(19), Decimal(1))
    sale = price(order_of("EUR", (3, "6.2250")), rates)
    back = price(order_of("EUR", (-3, "6.2250")), rates)
    assert (back.total, back.tax, back.discount) == (-sale.total, -sale.tax, -sale.discount)


def test_no_rate_leaves_the_base_total_open() -> None:
    assert price(order_of("USD", (1, 5)), Rates()).to_dict()["base"]["total"] is None


def test_nothing_is_lost_at_the_bounds() -> None:
    order = order_of("EUR", *[(1_000_000_000, "999999999999.9999")] * 500)
    assert price(order, Rates()).total == Decimal("499999999999999950000000.00")


@pytest.mark.parametrize(("amount", "expected"), [("-0.004", "0.00"), ("0.005", "0.01")])
def test_zero_never_carries_a_minus_and_halves_go_up(amount: str, expected: str) -> None:
    assert str(rounded(Decimal(amount), "EUR")) == expected
