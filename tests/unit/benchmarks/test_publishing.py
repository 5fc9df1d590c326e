"""What is published is what was measured."""

import json
from pathlib import Path

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


def figure(name: str, median: float, again: float | None) -> dict[str, object]:
    return {"name": name, "median": median, "again": again}


def test_noise_is_how_far_two_runs_lie_apart() -> None:
    figures = [
        figure("a: x", 100, 110),
        figure("b: x", 100, 70),
        figure("c: x", 100, 100),
        figure("profile: host process: x", 1, 5),
        figure("cost: x", 1, 1),
        figure("never: again", 1, None),
        figure("nothing: at all", 0, 3),
    ]
    assert publishing.noise(figures) == (
        "Measured again, the medians of 3 figures differed by 10% in the middle and by 30% at most "
        "(b: x)."
    )
    assert publishing.noise(figures[-2:]) == ""


def test_a_later_run_stands_beside_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = json.loads(RUN.read_text(encoding="utf-8"))
    page = tmp_path / "performance.md"
    page.write_text(publishing.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(publishing, "FOLDER", tmp_path)
    monkeypatch.setattr(publishing, "PAGE", page)
    monkeypatch.setattr(publishing, "_plot", lambda *_: None)
    (tmp_path / "benchmarks.json").write_text(json.dumps(kept), encoding="utf-8")
    later = {"machine": {}, "figures": [{"name": "latency: p50", "median": 12.5}]}
    publishing.publish_again(later)
    written = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert written["machine"] == kept["machine"]
    [latency] = [f for f in written["figures"] if f["name"] == "latency: p50"]
    assert latency["again"] == 12.5
    assert "Measured again" in page.read_text(encoding="utf-8")
    [row] = [
        line
        for line in (tmp_path / "benchmarks.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| latency: p50 |")
    ]
    assert row.endswith("| 12.5 |")
