"""What is published is what was measured."""

import json

import pytest

from benchmarks import publishing

RUN = publishing.FOLDER / "benchmarks.json"


def test_the_published_pages_say_what_the_published_run_measured() -> None:
    run = json.loads(RUN.read_text(encoding="utf-8"))
    page = publishing.PAGE.read_text(encoding="utf-8")
    assert publishing.with_figures(page, run) == page
    table = (publishing.FOLDER / "benchmarks.md").read_text(encoding="utf-8")
    assert table == publishing.table(run)


def test_a_page_takes_the_figures_of_another_run_in_the_same_place() -> None:
    run = json.loads(RUN.read_text(encoding="utf-8"))
    page = publishing.PAGE.read_text(encoding="utf-8")
    for figure in run["figures"]:
        if figure["name"] == "latency: p50":
            figure["median"] = 123.4
    changed = publishing.with_figures(page, run)
    assert "| One order on an idle system, p50 | 123 ms |" in changed
    assert changed.partition("## What is counted")[2] == page.partition("## What is counted")[2]


def test_a_figure_that_is_shown_must_have_been_measured() -> None:
    run = json.loads(RUN.read_text(encoding="utf-8"))
    run["figures"] = [figure for figure in run["figures"] if figure["name"] != "latency: p50"]
    with pytest.raises(KeyError, match="latency: p50"):
        publishing.with_figures(publishing.PAGE.read_text(encoding="utf-8"), run)


def test_what_is_measured_again_takes_the_place_of_what_was() -> None:
    kept = json.loads(RUN.read_text(encoding="utf-8"))
    again = {"name": "latency: p50", "unit": "ms", "median": 1.0, "lowest": 1.0, "highest": 1.0}
    run = publishing.merged({"machine": {}, "figures": [{**again, "repetitions": 1}]})
    assert run["machine"] == {}
    of_latency = [f for f in run["figures"] if f["name"].startswith("latency:")]
    assert [f["median"] for f in of_latency] == [1.0]
    others = [f for f in kept["figures"] if not f["name"].startswith("latency:")]
    assert [f for f in run["figures"] if f not in of_latency] == others
