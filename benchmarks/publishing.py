"""Keeps a run for everyone: `docs/figures/benchmarks.json`, the table as Markdown, and the plots.

The plots are drawn by matplotlib, which `make bench` installs when it is told to publish.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT

FOLDER = ROOT / "docs" / "figures"
# The floors that were set before anything was measured.
_FLOOR_ORDERS_PER_S, _FLOOR_P50_MS = 150, 25


def publish(run: Mapping[str, Any]) -> None:
    """Write the run's JSON, table and plots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "benchmarks.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    (FOLDER / "benchmarks.md").write_text(table(run), encoding="utf-8")
    _plot({figure["name"]: figure for figure in run["figures"]}, FOLDER / "benchmarks.svg")


def table(run: Mapping[str, Any]) -> str:
    """The run as a page of Markdown."""
    about = ", ".join(f"{name} {value}" for name, value in run["machine"].items())
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench ARGS=--publish`; what each figure is: `benchmarks/`.",
        "",
        f"Machine: {about}.",
        "",
        "| What | Median | Lowest | Highest | Unit | Runs |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for figure in run["figures"]:
        values = (f"{figure[name]:.4g}" for name in ("median", "lowest", "highest"))
        lines.append(
            f"| {figure['name']} | {' | '.join(values)} | {figure['unit']} "
            f"| {figure['repetitions']} |"
        )
    return "\n".join([*lines, ""])


def _plot(figures: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only here

    mpl.use("svg")
    # Nothing in the file that differs from run to run but the figures.
    mpl.rcParams["svg.hashsalt"] = "durable-orders"
    from matplotlib import pyplot  # noqa: PLC0415 - after the choice of the output

    drawing, ((rate, latency), (batches, memory)) = pyplot.subplots(2, 2, figsize=(11, 7.5))
    _bars(rate, _those(figures, r"singles-(\d+): orders per second"), "orders at once")
    rate.axhline(_FLOOR_ORDERS_PER_S, linestyle="--", color="gray", label="floor")
    rate.set(title="Single orders", ylabel="orders per second")
    _bars(latency, _those(figures, r"latency: (p\d+)"), "one order on an idle system")
    latency.axhline(_FLOOR_P50_MS, linestyle="--", color="gray", label="floor of p50")
    latency.set(title="Latency, from queue to store", ylabel="ms")
    sizes = _those(figures, r"batches: (\d+) orders")
    batches.loglog([int(s) for s, _ in sizes], [f["median"] for _, f in sizes], marker="o")
    exponent = figures["batches: growth exponent"]["median"]
    batches.set(title=f"Batches (time grows with size to the {exponent:.2f})")
    batches.set(xlabel="orders in the batch", ylabel="s")
    course = _those(figures, r"memory: resident after (\d+)")
    memory.plot([int(n) for n, _ in course], [f["median"] for _, f in course], marker="o")
    memory.set(title="Resident memory, host and worker", xlabel="orders so far", ylabel="MB")
    memory.set_ylim(bottom=0)
    for axes in (rate, latency):
        axes.legend()
    drawing.tight_layout()
    drawing.savefig(path, metadata={"Date": None})
    pyplot.close(drawing)


def _those(
    figures: Mapping[str, Mapping[str, Any]], pattern: str
) -> list[tuple[str, Mapping[str, Any]]]:
    """The figures whose whole name matches, by what its group holds."""
    matches = ((re.fullmatch(pattern, name), figure) for name, figure in figures.items())
    return [(match[1], figure) for match, figure in matches if match]


def _bars(axes: Any, figures: Sequence[tuple[str, Mapping[str, Any]]], label: str) -> None:
    """A bar at each median, with a line from the lowest to the highest."""
    medians = [figure["median"] for _, figure in figures]
    below = [figure["median"] - figure["lowest"] for _, figure in figures]
    above = [figure["highest"] - figure["median"] for _, figure in figures]
    axes.bar([name for name, _ in figures], medians, yerr=[below, above], capsize=4)
    axes.set_xlabel(label)
