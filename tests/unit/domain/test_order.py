"""Which orders are refused, for what, and when two messages are the same order."""

from decimal import Decimal
from typing import Any

import pytest

from domain.order import (
    MAX_FAULTS,
    MAX_LINES,
    canonical,
    digest,
    is_usable_id,
    parse_decimal,
    parse_instant,
    parse_order,
)
from tests.support.orders import a_line, an_order


def faults(raw: object) -> list[tuple[str, str]]:
    return [(fault.field, fault.code) for fault in parse_order(raw)[1]]


def test_an_order_without_a_fault_becomes_a_value() -> None:
    order, found = parse_order(an_order(note="ring twice", weight=1.5))
    assert found == ()
    assert order is not None
    assert (order.id, order.customer_id, order.currency, order.country) == (
        "ORD-1",
        "C-1042",
        "EUR",
        "FR",
    )
    assert order.lines[0].unit_price == Decimal("19.90")
    assert order.extra == {"note": "ring twice", "weight": 1.5}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": "-x"}, ("id", "invalid_id")),
        ({"id": "a/b"}, ("id", "invalid_id")),
        ({"id": "ORD-1\n"}, ("id", "invalid_id")),
        ({"id": "x" * 101}, ("id", "invalid_id")),
        ({"id": 7}, ("id", "invalid_id")),
        ({"customerId": ...}, ("customerId", "required")),
        ({"customerId": None}, ("customerId", "required")),
        ({"customerId": "  "}, ("customerId", "empty")),
        ({"customerId": "C" * 101}, ("customerId", "too_long")),
        ({"customerId": 5}, ("customerId", "wrong_type")),
        ({"currency": ...}, ("currency", "required")),
        ({"currency": "EURO"}, ("currency", "unknown_currency")),
        ({"currency": "eur"}, ("currency", "unknown_currency")),
        ({"currency": ["EUR"]}, ("currency", "unknown_currency")),
        ({"country": "Germany"}, ("country", "unknown_country")),
        ({"country": 49}, ("country", "unknown_country")),
        ({"orderedAt": ...}, ("orderedAt", "required")),
        ({"orderedAt": "2026-11-20T09:30:00"}, ("orderedAt", "invalid_time")),
        ({"orderedAt": "2026-11-31T09:30:00Z"}, ("orderedAt", "invalid_time")),
        ({"orderedAt": "20261120T093000Z"}, ("orderedAt", "invalid_time")),
        ({"orderedAt": 1763631000}, ("orderedAt", "invalid_time")),
        ({"lines": ...}, ("lines", "required")),
        ({"lines": {}}, ("lines", "wrong_type")),
        ({"lines": []}, ("lines", "too_few")),
        ({"lines": [a_line()] * (MAX_LINES + 1)}, ("lines", "too_many")),
        ({"lines": ["cups"]}, ("lines[0]", "wrong_type")),
        ({"number": 2**53}, ("number", "too_large")),
        ({"deep": {"list": [1, -(2**60)]}}, ("deep.list[1]", "too_large")),
    ],
)
def test_a_fault_is_told_by_field_and_code(changes: Any, expected: tuple[str, str]) -> None:
    assert faults(an_order(**changes)) == [expected]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sku": ""}, ("lines[0].sku", "empty")),
        ({"sku": None}, ("lines[0].sku", "required")),
        ({"description": 5}, ("lines[0].description", "wrong_type")),
        ({"description": "d" * 1001}, ("lines[0].description", "wrong_type")),
        ({"quantity": None}, ("lines[0].quantity", "required")),
        ({"quantity": 0}, ("lines[0].quantity", "zero")),
        ({"quantity": 1.5}, ("lines[0].quantity", "not_whole")),
        ({"quantity": True}, ("lines[0].quantity", "wrong_type")),
        ({"quantity": "2"}, ("lines[0].quantity", "wrong_type")),
        ({"quantity": float("nan")}, ("lines[0].quantity", "not_whole")),
        ({"quantity": float("inf")}, ("lines[0].quantity", "not_whole")),
        ({"quantity": 10**30}, ("lines[0].quantity", "out_of_range")),
        ({"unitPrice": None}, ("lines[0].unitPrice", "required")),
        ({"unitPrice": "cheap"}, ("lines[0].unitPrice", "wrong_type")),
        ({"unitPrice": True}, ("lines[0].unitPrice", "wrong_type")),
        ({"unitPrice": float("nan")}, ("lines[0].unitPrice", "wrong_type")),
        ({"unitPrice": "1e3"}, ("lines[0].unitPrice", "wrong_type")),
        ({"unitPrice": "٣"}, ("lines[0].unitPrice", "wrong_type")),
        ({"unitPrice": "-3.00"}, ("lines[0].unitPrice", "negative")),
        ({"unitPrice": "1.23456"}, ("lines[0].unitPrice", "too_precise")),
        ({"unitPrice": 1e15}, ("lines[0].unitPrice", "out_of_range")),
        ({"weight": 2**70}, ("lines[0].weight", "too_large")),
    ],
)
def test_a_fault_of_a_line_is_told_with_its_place(changes: Any, expected: Any) -> None:
    assert faults(an_order(lines=[a_line(**changes)])) == [expected]


def test_every_fault_is_told_not_the_first() -> None:
    raw = an_order(currency="XXQ", lines=[a_line(), a_line(quantity="two", unitPrice="cheap")])
    assert faults(raw) == [
        ("currency", "unknown_currency"),
        ("lines[1].quantity", "wrong_type"),
        ("lines[1].unitPrice", "wrong_type"),
    ]


@pytest.mark.parametrize("raw", [None, 5, "ORD-1", [], True])
def test_what_is_no_object_is_no_order(raw: object) -> None:
    assert faults(raw) == [("", "wrong_type")]


@pytest.mark.parametrize(
    "changes",
    [
        {"country": ...},
        {"country": None},
        {"orderedAt": "2026-11-20t09:30:00.123456789+05:30"},
        {"lines": [a_line()] * MAX_LINES},
        {"lines": [a_line(quantity=-4)]},
        {"lines": [a_line(quantity=2.0)]},
        {"lines": [a_line(unitPrice=0)]},
        {"lines": [a_line(unitPrice="0.0001")]},
    ],
)
def test_unusual_orders_are_orders(changes: Any) -> None:
    assert faults(an_order(**changes)) == []


@pytest.mark.parametrize(
    "told_otherwise",
    [
        dict(reversed(an_order().items())),
        an_order(orderedAt="2026-11-20T10:30:00+01:00"),
        an_order(lines=[a_line(unitPrice=19.9)]),
        an_order(lines=[a_line(quantity=2.0)]),
        an_order(lines=[dict(reversed(a_line().items()))]),
    ],
)
def test_the_same_order_told_otherwise_has_the_same_digest(told_otherwise: Any) -> None:
    assert digest(told_otherwise) == digest(an_order())


@pytest.mark.parametrize(
    "changes",
    [
        {"customerId": "C-1043"},
        {"country": ...},
        {"orderedAt": "2026-11-20T09:30:01Z"},
        {"lines": [a_line(quantity=3)]},
        {"lines": [a_line(), a_line()]},
        {"lines": [a_line(unitPrice="19.91")]},
        {"note": None},
        {"flag": True},
        {"flag": 1},
    ],
)
def test_other_content_has_another_digest(changes: Any) -> None:
    others = {digest(an_order()), digest(an_order(flag=1.5)), digest(an_order(flag="1"))}
    assert digest(an_order(**changes)) not in others


def test_an_absent_country_is_a_country_that_is_null() -> None:
    assert digest(an_order(country=None)) == digest(an_order(country=...))


def test_an_order_with_faults_has_a_canonical_form_too() -> None:
    raw = an_order(lines=["cups", {"unitPrice": {}}], orderedAt=5)
    assert canonical(raw) == canonical(dict(reversed(raw.items())))


def test_ids_that_could_leave_a_path_are_not_usable() -> None:
    for text in ("..", ".hidden", "a b", "a?b", "a#b", "a\\b", "é", "", "a/../b"):
        assert not is_usable_id(text), text
    assert is_usable_id("0")
    assert is_usable_id("A.b_c-9" + "x" * 93)


def test_decimals_are_exact() -> None:
    assert parse_decimal(19.9) == Decimal("19.9")
    assert parse_decimal(2**60) == Decimal(2**60)
    assert parse_decimal("0.10") == Decimal("0.10")
    assert parse_decimal(" 1") is None
    assert parse_decimal("1.") is None


def test_instants_need_an_offset() -> None:
    assert parse_instant("2026-11-20T09:30:00Z") == parse_instant("2026-11-20T10:30:00+01:00")
    assert parse_instant("2026-11-20T09:30:00") is None
    assert parse_instant("2026-11-20T09:30:00+25:00") is None


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01", "0000-01-01T00:00:00Z"]
)
def test_a_time_beyond_the_calendar_is_a_fault_and_not_an_error(text: str) -> None:
    order, faults = parse_order(an_order(orderedAt=text))
    assert order is None
    assert [(fault.field, fault.code) for fault in faults] == [("orderedAt", "invalid_time")]
    assert digest(an_order(orderedAt=text)) != digest(an_order())


def test_faults_without_number_are_told_in_bounds() -> None:
    many = {"x" * 100_000: [2**60] * 10_000}
    order, faults = parse_order(an_order(**many, id="?"))
    assert order is None
    assert (faults[0].field, faults[-1].code) == ("id", "too_many_faults")
    assert len(faults) == MAX_FAULTS + 1
    assert sum(len(str(fault.to_dict())) for fault in faults) < 500_000
