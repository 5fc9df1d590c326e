"""What reference data adds, and that every fallback is marked."""

from typing import Any

import pytest

from domain.enrichment import enrich, needed
from domain.errors import StepError
from domain.order import Order, parse_order
from tests.support.orders import a_line, an_order

FOUND: dict[str, dict[str, Any]] = {
    "product": {"SKU-1001": {"id": "SKU-1001", "name": "Cups", "category": "t", "listPrice": "1"}},
    "customer": {"C-1042": {"id": "C-1042", "name": "Café", "discountPercent": "10"}},
    "taxRate": {"FR": {"id": "FR", "percent": "20"}},
    "exchangeRate": {"USD": {"id": "USD", "toBase": "0.8617", "base": "EUR"}},
}
NOTHING: dict[str, dict[str, Any]] = {kind: {} for kind in FOUND}


def order_of(**changes: Any) -> Order:
    order, found = parse_order(an_order(**changes))
    assert order is not None, found
    return order


def test_an_order_is_joined_with_what_it_names_and_nothing_twice() -> None:
    order = order_of(currency="USD", lines=[a_line(), a_line(), a_line(sku="S2")])
    assert needed(order) == {
        "product": ["SKU-1001", "S2"],
        "customer": ["C-1042"],
        "taxRate": ["FR"],
        "exchangeRate": ["USD"],
    }


def test_known_reference_data_decides_the_totals() -> None:
    told = enrich(order_of(currency="USD"), FOUND)
    assert told["enrichment"]["fallbacks"] == []
    assert told["totals"]["discount"] == "3.98"
    assert told["totals"]["tax"] == "7.16"
    assert told["totals"]["base"] == {"currency": "EUR", "total": "37.04"}


def test_unknown_reference_data_falls_back_and_says_so() -> None:
    told = enrich(order_of(currency="USD", country=...), NOTHING)
    assert told["enrichment"]["fallbacks"] == [
        "product:SKU-1001",
        "customer:C-1042",
        "taxRate:",
        "exchangeRate:USD",
    ]
    assert told["totals"]["total"] == "39.80"
    assert told["totals"]["base"]["total"] is None


def test_the_base_currency_needs_no_rate() -> None:
    told = enrich(order_of(), NOTHING)
    assert told["totals"]["base"] == {"currency": "EUR", "total": "39.80"}
    assert not told["enrichment"]["exchangeRate"]["fallback"]


@pytest.mark.parametrize("number", ["ten", None, "-1", True])
def test_reference_data_that_is_no_number_stops_the_step(number: Any) -> None:
    bad = {**FOUND, "taxRate": {"FR": {"id": "FR", "percent": number}}}
    with pytest.raises(StepError, match=r"REFERENCE_INVALID.*'FR'.*'percent'"):
        enrich(order_of(), bad)
