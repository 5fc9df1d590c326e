"""What an order costs: line totals, discount, tax, total, and the total in the base currency.

Rounding, in this order and each to the smallest unit of its currency, halves away from zero:
every line total; the discount, of the sum of the rounded lines; the tax, of subtotal less discount;
the base total, of the total. So what is shown adds up: lines to subtotal, and
subtotal - discount + tax = total. Nothing here is a binary float. Called by `enrich_order`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from domain.iso import MINOR_UNITS
from domain.order import Order, OrderLine

BASE_CURRENCY = "EUR"
# Enough for the largest order there may be, to the last digit (see the bounds in `order`).
_PRECISION = 60
_HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Rates:
    """What decides the money of an order beside its lines.

    Attributes:
        discount_percent: the customer's, of the subtotal.
        tax_percent: the country's, of subtotal less discount.
        to_base: units of the base currency for one unit of the order's; None when nobody knows.
    """

    discount_percent: Decimal = Decimal(0)
    tax_percent: Decimal = Decimal(0)
    to_base: Decimal | None = None
    base_currency: str = BASE_CURRENCY


@dataclass(frozen=True)
class Totals:
    """Amounts in the order's currency, but for `base_total`; a return makes them negative."""

    currency: str
    line_totals: tuple[Decimal, ...]
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    base_currency: str
    base_total: Decimal | None

    def to_dict(self) -> dict[str, Any]:
        """As the item and the event tell it: decimal texts, never JSON numbers."""
        base = None if self.base_total is None else _text(self.base_total)
        return {
            "currency": self.currency,
            "lines": [_text(amount) for amount in self.line_totals],
            "subtotal": _text(self.subtotal),
            "discount": _text(self.discount),
            "tax": _text(self.tax),
            "total": _text(self.total),
            "base": {"currency": self.base_currency, "total": base},
        }


def price(order: Order, rates: Rates) -> Totals:
    """The order's totals at these rates."""
    with localcontext() as context:
        context.prec = _PRECISION
        lines = line_totals(order.lines, order.currency)
        subtotal = sum(lines, rounded(Decimal(0), order.currency))
        discount = rounded(subtotal * rates.discount_percent / _HUNDRED, order.currency)
        tax = rounded((subtotal - discount) * rates.tax_percent / _HUNDRED, order.currency)
        total = subtotal - discount + tax
        base = None
        if rates.to_base is not None:
            base = rounded(total * rates.to_base, rates.base_currency)
    return Totals(
        currency=order.currency,
        line_totals=lines,
        subtotal=subtotal,
        discount=discount,
        tax=tax,
        total=total,
        base_currency=rates.base_currency,
        base_total=base,
    )


def line_totals(lines: Sequence[OrderLine], currency: str) -> tuple[Decimal, ...]:
    """Quantity times price of each line, rounded."""
    return tuple(rounded(line.unit_price * line.quantity, currency) for line in lines)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount in whole smallest units of the currency; zero never carries a minus."""
    unit = Decimal(1).scaleb(-MINOR_UNITS.get(currency, 2))
    return amount.quantize(unit, rounding=ROUND_HALF_UP) + 0


def _text(amount: Decimal) -> str:
    return f"{amount:f}"
