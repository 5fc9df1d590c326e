"""The sample files are what their generator makes, and hold what the README says of them."""

import json
from collections import Counter

import pytest

from samples import generate


@pytest.mark.parametrize("name", sorted(generate.files()))
def test_the_kept_file_is_what_the_generator_makes(name: str) -> None:
    kept = (generate.FOLDER / name).read_text(encoding="utf-8")
    assert kept == generate.files()[name]


def test_the_day_holds_the_kinds_of_orders_that_it_promises() -> None:
    day = generate.submissions()
    orders = [item["order"] for item in day if item["wave"] == 1]
    assert len(orders) >= 200
    assert len({order.get("country") for order in orders} - {None, "Germany"}) == 10
    assert {order["currency"] for order in orders} >= {"EUR", "GBP", "USD", "SEK"}
    assert max(len(order["lines"]) for order in orders if order["id"] < "ORD-2026-0009") == 500
    assert {item["via"] for item in day} == {"api", "feed", "queue"}


def test_the_batch_has_a_hundred_orders_and_fits_a_standard_queue_message() -> None:
    batch = generate.batch()
    assert len(batch["orders"]) == 100
    assert len(json.dumps(batch).encode()) < 256 * 1024


def test_duplicates_and_conflicts_come_after_the_orders_they_repeat() -> None:
    day = generate.submissions()
    first = {item["order"]["id"]: item["order"] for item in day if item["wave"] == 1}
    stories = Counter()
    for item in day:
        if item["wave"] == 2:
            same = first[item["order"]["id"]] == item["order"]
            assert same == (item["story"] == "sent again")
            stories[item["story"]] += 1
    assert stories == {"sent again": 8, "same id, other content": 4}


def test_the_expected_counts_add_up() -> None:
    counts = generate.expected()
    assert counts["orders"] == counts["processed"] + counts["rejected"] + counts["failed"]
    assert counts["events"] == counts["orders"]
