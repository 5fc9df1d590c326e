"""From counts to money: pure, with every price an input.

    python -m benchmarks.price --prices prices.json [--orders 300000]

Knows no price. What was counted is `docs/figures/cost.json`, which `python -m benchmarks.cost`
writes; what each quantity is, and where its price is to be found, is docs/cost.md. Request units
are an estimate: how it is made is `request_units`.
"""

import argparse
import json
import sys
from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT

FIGURES = ROOT / "docs" / "figures" / "cost.json"
# Counted for each so many orders (or status calls).
PER = 1000
QUANTITIES = (
    "apiCalls",
    "functionExecutions",
    "gbSeconds",
    "schedulerActions",
    "serviceBusOperations",
    "requestUnits",
    "eventGridOperations",
    "logicAppActions",
    "logicAppConnectorCalls",
    "storageTransactions",
)
# RU of a read and of a write, without an index, by the item's size in KB. Source: "Understand
# request unit consumption" in the documentation of Azure Cosmos DB, read in November 2026.
_SIZES_KB = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_READ_RU = (1.0, 1.04, 1.14, 1.33, 1.67, 2.19, 4.76, 9.95, 20.28, 40.95, 145.9, 291.8)
_WRITE_RU = (4.95, 6.29, 6.67, 7.04, 9.52, 11.23, 22.67, 48.19, 98.29, 184.57, 625.0, 1250.0)
# Assumed: the documentation gives no figure for a query of a few items of one partition.
QUERY_RU = 3.0


class InvalidPrices(ValueError):
    """A price list that cannot be used; the text says what is wrong."""


def request_units(container: Mapping[str, Any]) -> float:
    """An estimate for what was done to one container.

    Args:
        container: how many `reads`, `writes` and `queries`, and the mean `itemBytes`. A size
            between two of the table costs what the larger does. What an index adds to a write is
            left out, since no figure is published for it.
    """
    kilobytes = container["itemBytes"] / 1024
    at = min(bisect_left(_SIZES_KB, kilobytes), len(_SIZES_KB) - 1)
    return float(
        container["reads"] * _READ_RU[at]
        + container["writes"] * _WRITE_RU[at]
        + container["queries"] * QUERY_RU
    )


def unit_price(prices: Mapping[str, Any], quantity: str) -> Decimal:
    """The price of one, from `{"price": "0.40", "per": 1000000}`.

    Raises:
        InvalidPrices: it is missing, or not of that form.
    """
    entry = prices.get(quantity)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("price"), str):
        raise InvalidPrices(f'{quantity}: say {{"price": "<text>", "per": <number>}}.')
    try:
        price, per = Decimal(entry["price"]), Decimal(entry.get("per", 1))
    except (ArithmeticError, TypeError, ValueError):
        raise InvalidPrices(f"{quantity}: the price or its 'per' is no number.") from None
    if not (price.is_finite() and price >= 0 and per > 0):
        raise InvalidPrices(f"{quantity}: the price must not be negative, and 'per' above 0.")
    return price / per


def cost(
    counts: Mapping[str, float], prices: Mapping[str, Any], orders: int = PER
) -> dict[str, Decimal]:
    """What so many orders cost, by quantity, and `total`.

    Args:
        counts: of `PER` orders, one for each of `QUANTITIES`.
    Raises:
        InvalidPrices: as `unit_price`. A price is asked for only where something was counted.
    """
    parts = {
        quantity: Decimal(str(counts[quantity])) * unit_price(prices, quantity) * orders / PER
        for quantity in QUANTITIES
        if counts[quantity]
    }
    return {**parts, "total": sum(parts.values(), Decimal(0))}


def main(arguments: list[str]) -> int:
    """Print what each way of an order costs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.price", description=__doc__)
    parser.add_argument("--prices", type=Path, required=True, help="see docs/cost.md for its form")
    parser.add_argument("--orders", type=int, default=PER, help=f"how many (default: {PER})")
    given = parser.parse_args(arguments)
    prices = json.loads(given.prices.read_text(encoding="utf-8"))
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    told = {name: prices.get(name, "not told") for name in ("currency", "region", "date")}
    sys.stdout.write(f"{given.orders} orders; {told}\n")
    try:
        for way, counts in figures["ways"].items():
            sys.stdout.write(f"\n{way}\n")
            for quantity, amount in cost(counts, prices, given.orders).items():
                sys.stdout.write(f"  {quantity:24}{amount:16.6f}\n")
    except InvalidPrices as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
