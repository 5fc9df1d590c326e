"""What an order is: from a JSON object to a frozen value, or every fault that stands in the way.

Also the one canonical form and its digest, which tell whether two messages are the same order.
Prices and totals are `rules`; whether a message holds an order at all is `messages`. Called by
`validate_order`, `enrich_order`, the admission of batches and whoever compares two orders.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeGuard

from domain.iso import COUNTRIES, MINOR_UNITS

MAX_LINES = 500
MAX_TEXT = 100
MAX_DESCRIPTION = 1000
PRICE_DECIMALS = 4
# Bounds that keep every sum exact in the decimal precision that `rules` works with.
MAX_QUANTITY = 1_000_000_000
MAX_PRICE = Decimal(1_000_000_000_000)
# The store keeps numbers as doubles: a whole number beyond this comes back as another one.
MAX_EXACT_INTEGER = 2**53 - 1
# So that the faults of an order fit into one item with it, whatever its sender made of it.
MAX_FAULTS = 1000
_MAX_FIELD = 200

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
KNOWN_FIELDS = frozenset({"id", "customerId", "currency", "country", "orderedAt", "lines"})


@dataclass(frozen=True)
class Fault:
    """One reason why an order is refused: where, a stable code, and a sentence."""

    field: str
    code: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


@dataclass(frozen=True)
class OrderLine:
    """One line; `quantity` is not 0, a negative one is a return."""

    sku: str
    description: str | None
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True)
class Order:
    """An order without a fault. `extra` holds the fields that this system does not know."""

    id: str
    customer_id: str
    currency: str
    country: str | None
    ordered_at: datetime
    lines: tuple[OrderLine, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)


def is_usable_id(value: object) -> TypeGuard[str]:
    """Whether it can name an order, and so an instance, an item and a place in a URL."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def parse_order(raw: object) -> tuple[Order | None, tuple[Fault, ...]]:
    """The order, or None and every fault that was found."""
    if not isinstance(raw, dict):
        return None, (Fault("", "wrong_type", "An order is a JSON object."),)
    found = _Faults([])
    if not is_usable_id(raw.get("id")):
        found.add("id", "invalid_id", "1 to 100 of A-Z a-z 0-9 . _ -, first a letter or a digit.")
    customer = _text(raw, "customerId", found)
    currency = _currency(raw.get("currency"), found)
    country = _country(raw.get("country"), found)
    ordered_at = _instant(raw.get("orderedAt"), found)
    lines = _lines(raw.get("lines"), found)
    extra = {name: value for name, value in raw.items() if name not in KNOWN_FIELDS}
    _check_numbers(extra, found)
    if found.all or ordered_at is None:
        return None, found.told()
    order = Order(raw["id"], customer, currency, country, ordered_at, lines, extra)
    return order, ()


def canonical(raw: Mapping[str, Any]) -> str:
    """The order as one text: the same for every way of telling the same content.

    Members are sorted; a number is its value (`2.0` is `2`); a price is its value whether told as a
    number or a string; a time is its instant; an optional field that is null is absent. Works for
    an order with faults too.
    """
    order = {name: value for name, value in raw.items() if value is not None or name != "country"}
    instant = parse_instant(order.get("orderedAt"))
    if instant is not None:
        order["orderedAt"] = instant.astimezone(UTC).isoformat()
    if isinstance(order.get("lines"), list):
        order["lines"] = [_canonical_line(line) for line in order["lines"]]
    return json.dumps(_plain(order), ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def digest(raw: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form, in 64 hex digits."""
    return hashlib.sha256(canonical(raw).encode("ascii")).hexdigest()


def parse_instant(value: object) -> datetime | None:
    """The instant of an RFC 3339 text with an offset; None when it is not one."""
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        return None
    try:
        instant = datetime.fromisoformat(value.upper())
        # Its offset may lead beyond the years there are.
        instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant


def instant_text(moment: datetime) -> str:
    """A moment with its zone as the API shows times: RFC 3339, UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_decimal(value: object) -> Decimal | None:
    """The exact value of a JSON number or a decimal string; None when it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    text = repr(value) if isinstance(value, float) else value
    if not isinstance(text, str):
        return None
    if not isinstance(value, float) and _DECIMAL.fullmatch(text) is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@dataclass
class _Faults:
    """What was found; no more than can be kept with the order."""

    all: list[Fault]

    def add(self, where: str, code: str, message: str) -> None:
        if len(self.all) <= MAX_FAULTS:
            self.all.append(Fault(where, code, message))

    def told(self) -> tuple[Fault, ...]:
        if len(self.all) <= MAX_FAULTS:
            return tuple(self.all)
        more = Fault("", "too_many_faults", f"There are more; these are the first {MAX_FAULTS}.")
        return (*self.all[:MAX_FAULTS], more)


def _text(raw: Mapping[str, Any], name: str, found: _Faults, where: str = "") -> str:
    value = raw.get(name)
    if value is None:
        found.add(where + name, "required", "It is missing.")
    elif not isinstance(value, str):
        found.add(where + name, "wrong_type", "It must be a text.")
    elif not value.strip():
        found.add(where + name, "empty", "It must not be empty.")
    elif len(value) > MAX_TEXT:
        found.add(where + name, "too_long", f"It has more than {MAX_TEXT} characters.")
    else:
        return value
    return ""


def _currency(value: object, found: _Faults) -> str:
    if value is None:
        found.add("currency", "required", "It is missing.")
    elif not isinstance(value, str) or value not in MINOR_UNITS:
        found.add("currency", "unknown_currency", "It is not a currency code of ISO 4217.")
    else:
        return value
    return ""


def _country(value: object, found: _Faults) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in COUNTRIES:
        found.add("country", "unknown_country", "It is not a two-letter code of ISO 3166-1.")
        return None
    return value


def _instant(value: object, found: _Faults) -> datetime | None:
    instant = parse_instant(value)
    if value is None:
        found.add("orderedAt", "required", "It is missing.")
    elif instant is None:
        found.add("orderedAt", "invalid_time", "It must be an RFC 3339 time with its offset.")
    return instant


def _lines(value: object, found: _Faults) -> tuple[OrderLine, ...]:
    if value is None:
        found.add("lines", "required", "It is missing.")
    elif not isinstance(value, list):
        found.add("lines", "wrong_type", "It must be a list.")
    elif not value:
        found.add("lines", "too_few", "An order has at least one line.")
    else:
        if len(value) > MAX_LINES:
            found.add("lines", "too_many", f"{len(value)} lines; {MAX_LINES} at most.")
        return tuple(_line(line, f"lines[{n}]", found) for n, line in enumerate(value[:MAX_LINES]))
    return ()


def _line(raw: object, where: str, found: _Faults) -> OrderLine:
    if not isinstance(raw, dict):
        found.add(where, "wrong_type", "A line is a JSON object.")
        return OrderLine("", None, 0, Decimal(0))
    where += "."
    description = raw.get("description")
    if description is not None and (
        not isinstance(description, str) or len(description) > MAX_DESCRIPTION
    ):
        found.add(
            where + "description",
            "wrong_type",
            f"It must be a text of at most {MAX_DESCRIPTION} characters.",
        )
    others = {k: v for k, v in raw.items() if k not in {"quantity", "unitPrice"}}
    _check_numbers(others, found, where)
    return OrderLine(
        sku=_text(raw, "sku", found, where),
        description=description if isinstance(description, str) else None,
        quantity=_quantity(raw.get("quantity"), where + "quantity", found),
        unit_price=_price(raw.get("unitPrice"), where + "unitPrice", found),
    )


def _quantity(value: object, where: str, found: _Faults) -> int:
    if value is None:
        found.add(where, "required", "It is missing.")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        found.add(where, "wrong_type", "It must be a whole number.")
    elif value % 1 != 0:
        found.add(where, "not_whole", "It must be a whole number.")
    elif value == 0:
        found.add(where, "zero", "It must not be 0; a negative quantity is a return.")
    elif abs(value) > MAX_QUANTITY:
        found.add(where, "out_of_range", f"It must be within {MAX_QUANTITY} either way.")
    else:
        return int(value)
    return 0


def _price(value: object, where: str, found: _Faults) -> Decimal:
    price = parse_decimal(value)
    if value is None:
        found.add(where, "required", "It is missing.")
    elif price is None:
        found.add(where, "wrong_type", "It must be a number or a decimal text.")
    elif price < 0:
        found.add(where, "negative", "It must not be negative; a return has a negative quantity.")
    elif price > MAX_PRICE:
        found.add(where, "out_of_range", f"It must not be above {MAX_PRICE}.")
    elif price != round(price, PRICE_DECIMALS):
        found.add(where, "too_precise", f"It has more than {PRICE_DECIMALS} decimal places.")
    else:
        return price
    return Decimal(0)


def _check_numbers(value: object, found: _Faults, where: str = "") -> None:
    """Adds a fault for each whole number that the store could not give back unchanged."""
    where = where[:_MAX_FIELD]
    if isinstance(value, dict):
        for name, inner in value.items():
            prefix = where if where.endswith(".") or not where else where + "."
            _check_numbers(inner, found, f"{prefix}{name[:_MAX_FIELD]}")
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            _check_numbers(inner, found, f"{where}[{n}]")
    elif isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER:
        found.add(where, "too_large", "This number cannot be kept exactly; send it as a text.")


def _canonical_line(line: object) -> object:
    if not isinstance(line, dict):
        return line
    price = parse_decimal(line.get("unitPrice"))
    if price is None:
        return line
    return {**line, "unitPrice": f"{price.normalize():f}" if price else "0"}


def _plain(value: object) -> object:
    """The value with numbers that are whole told without a fraction."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
