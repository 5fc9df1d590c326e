"""A figure that is worse than its floor is told, and no other."""

import json

import pytest

from benchmarks import floors, publishing


def figure(name: str, median: float) -> dict[str, object]:
    return {"name": name, "median": median, "unit": "x"}


@pytest.mark.parametrize(
    ("name", "median", "line"),
    [
        ("latency: p50", 25, None),
        ("latency: p50", 25.01, "latency: p50: 25.01 x, the floor is at most 25"),
        ("singles-200: orders per second", 150, None),
        (
            "singles-200: orders per second",
            149.9,
            "singles-200: orders per second: 149.9 x, the floor is at least 150",
        ),
        ("latency: p95", 1000, None),
    ],
)
def test_figure_worse_than_its_floor_is_told(name: str, median: float, line: str | None) -> None:
    assert floors.missed([figure(name, median)]) == ([line] if line else [])


def test_every_floor_is_of_a_figure_that_is_published() -> None:
    run = json.loads((publishing.FOLDER / "benchmarks.json").read_text(encoding="utf-8"))
    assert floors.FLOORS.keys() <= {figure["name"] for figure in run["figures"]}
    assert floors.missed(run["figures"]) == []
