"""What an order costs: the formula, on made-up prices, and the page that shows the counts."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cost, price

PRICES = {
    "apiCalls": {"price": "0.5", "per": 1000},
    "functionExecutions": {"price": "2", "per": 10_000},
    "gbSeconds": {"price": "0.01"},
}
COUNTS = {**dict.fromkeys(price.QUANTITIES, 0), "apiCalls": 1000, "functionExecutions": 11_000}
FIGURES = json.loads(price.FIGURES.read_text(encoding="utf-8"))


def test_each_quantity_is_its_count_times_its_price() -> None:
    parts = price.cost({**COUNTS, "gbSeconds": 50.5}, PRICES)
    assert parts == {
        "apiCalls": Decimal("0.5"),
        "functionExecutions": Decimal("2.2"),
        "gbSeconds": Decimal("0.505"),
        "total": Decimal("3.205"),
    }


def test_ten_times_the_orders_cost_ten_times_as_much() -> None:
    assert price.cost(COUNTS, PRICES, 10_000)["total"] == 10 * price.cost(COUNTS, PRICES)["total"]
    assert price.cost(COUNTS, PRICES, 0)["total"] == 0


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {"per": 1000},
        {"price": 0.5},
        {"price": "?"},
        {"price": "NaN"},
        {"price": "Infinity"},
        {"price": "-1"},
        {"price": "1", "per": 0},
        {"price": "1", "per": None},
    ],
)
def test_a_price_that_is_none_is_named(entry: Any) -> None:
    with pytest.raises(price.InvalidPrices, match="apiCalls"):
        price.cost(COUNTS, {**PRICES, "apiCalls": entry})


def test_a_price_is_not_asked_for_where_nothing_was_counted() -> None:
    assert set(price.cost(COUNTS, PRICES)) == {"apiCalls", "functionExecutions", "total"}


@pytest.mark.parametrize(
    ("size", "read", "write"),
    [(0, 1.0, 4.95), (1024, 1.0, 4.95), (1025, 1.04, 6.29), (9 * 1024**2, 291.8, 1250.0)],
)
def test_request_units_follow_the_documented_sizes(size: int, read: float, write: float) -> None:
    done = {"reads": 0, "writes": 0, "queries": 0, "itemBytes": size}
    assert price.request_units({**done, "reads": 1}) == read
    assert price.request_units({**done, "writes": 1}) == write
    assert price.request_units({**done, "queries": 2}) == 2 * price.QUERY_RU


def test_time_in_which_functions_overlap_counts_once() -> None:
    log = "\n".join(
        f"[2026-11-20T09:30:{second:06.3f}Z] {what} 'Functions.{name}' (Id=x)"
        for second, what, name in (
            (0, "Executing", "a"),
            (1, "Executing", "b"),
            (2, "Executed", "a"),
            (3.5, "Executed", "b"),
            (10, "Executing", "a"),
            (10.25, "Executed", "a"),
        )
    )
    assert cost.executed(log) == (3, 3.75)


def test_the_page_shows_the_figures_that_were_measured() -> None:
    page = cost.PAGE.read_text(encoding="utf-8")
    assert cost.table(FIGURES) in page
    assert cost.cosmos_table(FIGURES) in page
    assert cost.with_tables(page, FIGURES) == page


def test_the_figures_agree_with_one_another_and_with_the_app() -> None:
    ways = FIGURES["ways"]
    for counts in ways.values():
        assert set(counts) == {*price.QUANTITIES, "cosmos"}
        estimated = sum(map(price.request_units, counts["cosmos"].values()))
        assert counts["requestUnits"] == round(estimated)
    single = ways["one by one"]
    # Sent, delivered and settled; started, and four activities with their results.
    assert (single["serviceBusOperations"], single["schedulerActions"]) == (3000, 9000)
    assert ways["by file"]["eventGridOperations"] == single["eventGridOperations"] + 2
    assert ways["in batches"]["apiCalls"] == FIGURES["per"] // FIGURES["batch"]


def test_the_pages_price_list_names_every_quantity_and_no_price() -> None:
    page = cost.PAGE.read_text(encoding="utf-8")
    listed = json.loads(page.partition("```json\n")[2].partition("```")[0])
    assert [name for name, entry in listed.items() if isinstance(entry, dict)] == list(
        price.QUANTITIES
    )
    assert all(entry["price"] == "?" for entry in listed.values() if isinstance(entry, dict))


def test_the_calculator_prints_every_way_or_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({name: {"price": "0.001"} for name in price.QUANTITIES}))
    assert price.main(["--prices", str(path), "--orders", "1000"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{way}\n" in printed for way in FIGURES["ways"])
    total = sum(FIGURES["ways"]["one by one"][name] for name in price.QUANTITIES)
    assert f"{Decimal(str(total)) / 1000:.6f}" in printed
    path.write_text("{}")
    assert price.main(["--prices", str(path)]) == 1
    assert "apiCalls" in capsys.readouterr().err
