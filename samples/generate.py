"""Makes the sample day of orders: `python -m samples.generate` writes the files beside this one.

The day is invented, seeded and kept in the repository, so that everyone runs the same orders and
`expected.json` can say how it must end. Change the generator and the files together; a test
compares them.

Files:
    orders.ndjson: one submission a line, in order of arrival: `via` ("api", "feed" or "queue"),
        `wave` (1 comes before 2), `order` (the body) and `story` (why it is there).
    messages.ndjson: raw texts put on the queue that are not orders, with their `story`.
    batch.json: the one batch message.
    file.json: the one file of orders, as it is dropped into the container `inputfiles`.
    reference.json: items of the container `reference`, which a deployment is seeded with.
    seed.json: the same, as `python -m emulator start --seed` takes them.
    expected.json: the counts at the end of the day.
"""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SEED = 20261120
DAY = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)

Order = dict[str, Any]

# Country, its currency, standard tax rate in percent.
COUNTRIES = {
    "FR": ("EUR", "20"),
    "DE": ("EUR", "19"),
    "IT": ("EUR", "22"),
    "ES": ("EUR", "21"),
    "IE": ("EUR", "23"),
    "NL": ("EUR", "21"),
    "GB": ("GBP", "20"),
    "US": ("USD", "0"),
    "SE": ("SEK", "25"),
    "PT": ("EUR", "23"),
}
# One unit of the currency in euro.
RATES = {"EUR": "1", "GBP": "1.1432", "USD": "0.8617", "SEK": "0.0911"}

PRODUCTS = [
    ("SKU-1001", "Espresso cups, set of 6", "tableware", "19.90"),
    ("SKU-1002", "Moka pot, 6 cups", "kitchen", "34.50"),
    ("SKU-1003", "Burr grinder", "kitchen", "89.00"),
    ("SKU-1004", "Pour-over kettle, 0.9 l", "kitchen", "54.25"),
    ("SKU-1005", "Paper filters, 100", "consumables", "4.75"),
    ("SKU-1006", "Café crème, 1 kg", "coffee", "21.40"),
    ("SKU-1007", "Single-origin Yirgacheffe, 250 g", "coffee", "11.80"),
    ("SKU-1008", "Descaler, 500 ml", "consumables", "7.35"),
    ("SKU-1009", "Tasting spoon", "tableware", "6.2250"),
    ("SKU-1010", "Gift box, large", "packaging", "3.10"),
    ("SKU-1011", "Milk frother", "kitchen", "27.99"),
    ("SKU-1012", "Cold brew jug", "kitchen", "31.60"),
]

CUSTOMERS = [
    ("C-1001", "Café Zürich-Süd", "10"),
    ("C-1002", "Boulangerie Lefèvre", "5"),
    ("C-1003", "Señor Muñoz e Hijos", "0"),
    ("C-1004", "Åsa Lindström", "0"),
    ("C-1005", "Kahvila Yö", "7.5"),
    ("C-1006", "Ó Briain & Sons", "2"),
    ("C-1007", "喫茶さくら", "12"),
    ("C-1008", "Κυψέλη Espresso", "0"),
    ("C-1009", "Mercado do Café", "3"),
    ("C-1010", "Harbour Roasters Ltd", "15"),
    ("C-1011", "Third Street Diner", "0"),
    ("C-1012", "Кав'ярня Львів", "4"),
]


def _line(pick: random.Random, quantity: int | None = None) -> dict[str, Any]:
    sku, description, _, price = pick.choice(PRODUCTS)
    return {
        "sku": sku,
        "description": description,
        "quantity": pick.randint(1, 12) if quantity is None else quantity,
        # Both forms that an order may use: a decimal string, and a JSON number.
        "unitPrice": price if pick.random() < 0.5 else float(price),
    }


def make_order(pick: random.Random, number: int) -> Order:
    """An ordinary order; the number decides its id and time of day."""
    country = pick.choice(sorted(COUNTRIES))
    customer, name, _ = pick.choice(CUSTOMERS)
    at = DAY + timedelta(seconds=number * 97 + pick.randint(0, 60))
    order: Order = {
        "id": f"ORD-2026-{number:06d}",
        "customerId": customer,
        "currency": COUNTRIES[country][0],
        "country": country,
        "orderedAt": at.isoformat().replace("+00:00", "Z"),
        "lines": [_line(pick) for _ in range(pick.randint(1, 5))],
        "shipTo": {"name": name, "reference": f"PO {pick.randint(1000, 9999)}"},
    }
    return order


def _valid(pick: random.Random) -> Iterator[tuple[str, Order]]:
    """Two hundred orders that go through, a few of them unusual."""
    for number in range(1, 201):
        order = make_order(pick, number)
        story = "ordinary"
        if number % 25 == 0:
            order["lines"].append(_line(pick, -pick.randint(1, 3)))
            story = "takes back some goods"
        elif number == 42:
            order["lines"] = [_line(pick) for _ in range(500)]
            story = "500 lines, the most there may be"
        elif number == 77:
            order["lines"] = [_line(pick, -4)]
            story = "nothing but a return"
        elif number == 101:
            del order["country"]
            story = "no country"
        elif number == 150:
            order["customerId"] = "C-9999"
            story = "a customer nobody knows"
        elif number == 151:
            order["lines"][0]["sku"] = "SKU-0000"
            story = "a product nobody knows"
        elif number == 180:
            order["shipTo"]["name"] = "<b>Nadia</b> & \"Co\" 'أحمد' 😀"
            story = "markup, quotes and an emoji in a name"
        yield story, order


def _refused(pick: random.Random) -> Iterator[tuple[str, Order]]:
    """Orders that `validate_order` refuses, each for a reason of its own."""

    def base(number: int) -> Order:
        return make_order(pick, number)

    order = base(901)
    order["currency"] = "EURO"
    yield "not a currency", order
    order = base(902)
    order["lines"] = []
    yield "no lines", order
    order = base(903)
    order["lines"][0]["quantity"] = 0
    yield "a quantity of nothing", order
    order = base(904)
    order["lines"][0]["quantity"] = 1.5
    yield "one and a half pieces", order
    order = base(905)
    order["lines"][0]["unitPrice"] = "-3.00"
    yield "a negative price", order
    order = base(906)
    order["lines"][0]["unitPrice"] = "1.23456"
    yield "five decimal places", order
    order = base(907)
    order["orderedAt"] = "2026-11-20T09:30:00"
    yield "a time without its offset", order
    order = base(908)
    order["country"] = "Germany"
    yield "a country by name", order
    order = base(909)
    del order["customerId"]
    yield "no customer", order
    order = base(910)
    order["lines"] = [_line(pick) for _ in range(501)]
    yield "501 lines, one too many", order
    order = base(911)
    order["currency"] = "XXQ"
    order["lines"][0]["unitPrice"] = "cheap"
    order["lines"][0]["quantity"] = "two"
    yield "three faults at once", order
    order = base(912)
    order["lines"][0]["sku"] = ""
    yield "a line without its product", order


# Submissions take turns on the three ways in.
_WAYS = ("api", "api", "feed", "queue")


def submissions() -> list[dict[str, Any]]:
    """The day's single orders, in order of arrival."""
    pick = random.Random(SEED)
    first = [*_valid(pick), *_refused(pick)]
    pick.shuffle(first)
    day: list[dict[str, Any]] = [
        {"wave": 1, "via": _WAYS[n % len(_WAYS)], "story": story, "order": order}
        for n, (story, order) in enumerate(first)
    ]
    known = {item["order"]["id"]: item["order"] for item in day}
    for n, number in enumerate((3, 14, 15, 42, 65, 92, 150, 180)):
        again = deepcopy(known[f"ORD-2026-{number:06d}"])
        if n % 2:
            # The same content, told in another order: still the same order.
            again = dict(reversed(again.items()))
        day.append(
            {
                "wave": 2,
                "via": ("api", "queue", "feed")[n % 3],
                "story": "sent again",
                "order": again,
            }
        )
    for n, number in enumerate((5, 9, 26, 53)):
        other = deepcopy(known[f"ORD-2026-{number:06d}"])
        other["lines"][0]["quantity"] += 100
        day.append(
            {
                "wave": 2,
                "via": "api" if n < 2 else "queue",
                "story": "same id, other content",
                "order": other,
            }
        )
    return day


def messages() -> list[dict[str, str]]:
    """What arrives on the queue and is not an order."""
    return [
        {"story": "not JSON", "text": "ORD-2026-000777;C-1001;EUR;19.90"},
        {"story": "a JSON text of the wrong shape", "text": '"ORD-2026-000778"'},
        {"story": "an object without an id", "text": '{"customerId": "C-1001", "lines": []}'},
    ]


def batch() -> dict[str, Any]:
    """One batch message of a hundred: 96 different orders, two of them told twice, two refused."""
    pick = random.Random(SEED + 1)
    orders = [make_order(pick, number) for number in range(2001, 2099)]
    for line in orders[96]["lines"]:
        line["quantity"] = 0
    orders[97]["currency"] = "EU"
    orders.insert(50, deepcopy(orders[10]))
    orders.append(deepcopy(orders[20]))
    return {"batchId": "day-2026-11-20", "orders": orders}


def dropped() -> list[Order]:
    """One file of twenty orders."""
    pick = random.Random(SEED + 2)
    return [make_order(pick, number) for number in range(3001, 3021)]


def reference() -> list[dict[str, Any]]:
    """Items of the container `reference` (partition key `/kind`)."""
    items: list[dict[str, Any]] = [
        {"id": sku, "kind": "product", "name": name, "category": category, "listPrice": price}
        for sku, name, category, price in PRODUCTS
    ]
    items += [
        {"id": customer, "kind": "customer", "name": name, "discountPercent": discount}
        for customer, name, discount in CUSTOMERS
    ]
    items += [
        {"id": country, "kind": "taxRate", "percent": tax}
        for country, (_, tax) in COUNTRIES.items()
    ]
    items += [
        {"id": currency, "kind": "exchangeRate", "toBase": rate, "base": "EUR"}
        for currency, rate in RATES.items()
    ]
    return items


def expected() -> dict[str, int]:
    """How the day must end, counted from what was made."""
    day, load = submissions(), batch()["orders"]
    refused = sum(1 for _ in _refused(random.Random(0)))
    distinct = len({order["id"] for order in load})
    again = sum(1 for item in day if item["story"] == "sent again")
    other = [item for item in day if item["story"] == "same id, other content"]
    singles = sum(1 for item in day if item["wave"] == 1) + len(dropped())
    return {
        "orders": singles + distinct,
        "processed": singles - refused + distinct - 2,
        "rejected": refused + 2,
        "failed": 0,
        "duplicates": again + len(load) - distinct,
        "conflicts": len(other),
        "deadLettered": len(messages()) + sum(1 for item in other if item["via"] == "queue"),
        "batches": 1,
        "events": singles + distinct,
        # The demo's outage makes three orders fail, and replays them.
        "replayed": 3,
    }


def files() -> dict[str, str]:
    """The files' names and texts."""

    def lines(items: list[Any]) -> str:
        return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)

    def pretty(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, indent=2) + "\n"

    return {
        "orders.ndjson": lines(submissions()),
        "messages.ndjson": lines(messages()),
        "batch.json": pretty(batch()),
        "file.json": pretty(dropped()),
        "reference.json": pretty(reference()),
        "seed.json": pretty({"reference": reference()}),
        "expected.json": pretty(expected()),
    }


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
