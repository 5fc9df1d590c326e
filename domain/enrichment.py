"""What reference data adds to an order, and what stands in where there is none.

Unknown products, customers and tax rates fall back (no discount, no tax) and an unknown exchange
rate leaves the base total open: a wrong amount is worse than none. Every fallback is marked.
Called by `enrich_order`, which fetches the items.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.errors import StepError
from domain.order import Order, parse_decimal
from domain.rules import BASE_CURRENCY, Rates, price

Kind = str
ReferenceItem = Mapping[str, Any]
# Items by kind and id; an id that is absent is unknown.
Found = Mapping[Kind, Mapping[str, ReferenceItem]]

PRODUCT, CUSTOMER, TAX_RATE, EXCHANGE_RATE = "product", "customer", "taxRate", "exchangeRate"


def needed(order: Order) -> dict[Kind, list[str]]:
    """Which reference items the order is joined with, by kind; none twice."""
    return {
        PRODUCT: list(dict.fromkeys(line.sku for line in order.lines)),
        CUSTOMER: [order.customer_id],
        TAX_RATE: [order.country] if order.country is not None else [],
        EXCHANGE_RATE: [order.currency] if order.currency != BASE_CURRENCY else [],
    }


def enrich(order: Order, found: Found) -> dict[str, Any]:
    """`enrichment` and `totals` as the item has them.

    Raises:
        StepError: REFERENCE_INVALID, a reference item holds what is not a number.
    """
    customer = found[CUSTOMER].get(order.customer_id)
    tax = found[TAX_RATE].get(order.country or "")
    rate = found[EXCHANGE_RATE].get(order.currency)
    rates = Rates(
        discount_percent=_number(customer, "discountPercent", "customer") or Decimal(0),
        tax_percent=_number(tax, "percent", "tax rate") or Decimal(0),
        to_base=_to_base(order, rate),
        base_currency=_base_currency(order, rate),
    )
    products = {sku: _product(found[PRODUCT].get(sku)) for sku in needed(order)[PRODUCT]}
    fallbacks = [f"{PRODUCT}:{sku}" for sku, known in products.items() if known["fallback"]]
    fallbacks += [f"{CUSTOMER}:{order.customer_id}"] if customer is None else []
    fallbacks += [f"{TAX_RATE}:{order.country or ''}"] if tax is None else []
    fallbacks += [f"{EXCHANGE_RATE}:{order.currency}"] if rates.to_base is None else []
    enrichment = {
        "customer": {
            "id": order.customer_id,
            "name": customer.get("name") if customer is not None else None,
            "discountPercent": f"{rates.discount_percent:f}",
            "fallback": customer is None,
        },
        "products": products,
        "tax": {
            "country": order.country,
            "percent": f"{rates.tax_percent:f}",
            "fallback": tax is None,
        },
        "exchangeRate": {
            "currency": order.currency,
            "base": rates.base_currency,
            "toBase": f"{rates.to_base:f}" if rates.to_base is not None else None,
            "fallback": rates.to_base is None,
        },
        "fallbacks": fallbacks,
    }
    return {"enrichment": enrichment, "totals": price(order, rates).to_dict()}


def _product(item: ReferenceItem | None) -> dict[str, Any]:
    known = item if item is not None else {}
    return {
        "name": known.get("name"),
        "category": known.get("category"),
        "listPrice": known.get("listPrice"),
        "fallback": item is None,
    }


def _to_base(order: Order, rate: ReferenceItem | None) -> Decimal | None:
    if order.currency == BASE_CURRENCY:
        return Decimal(1)
    return _number(rate, "toBase", "exchange rate")


def _base_currency(order: Order, rate: ReferenceItem | None) -> str:
    if order.currency == BASE_CURRENCY or rate is None:
        return BASE_CURRENCY
    base = rate.get("base", BASE_CURRENCY)
    return base if isinstance(base, str) else BASE_CURRENCY


def _number(item: ReferenceItem | None, name: str, what: str) -> Decimal | None:
    if item is None:
        return None
    number = parse_decimal(item.get(name))
    if number is None or number < 0:
        raise StepError(
            "REFERENCE_INVALID", f"The {what} '{item.get('id')}' has no usable '{name}'."
        )
    return number
