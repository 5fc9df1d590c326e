"""Keeps a run for everyone: `docs/figures/benchmarks.json`, the table as Markdown, and the plots.

A later run can be kept beside it, so that the table says how far two runs lie apart. The plots are
drawn by matplotlib, which `make bench` installs.
"""

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.floors import FLOORS, ORDERS_PER_S, P50_MS
from benchmarks.report import ROOT

FOLDER = ROOT / "docs" / "figures"
PAGE = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"
# What is done with the store in three ways, and what it is measured as in each.
_STORE = (
    ("Upsert, one after another", None, "HTTP: upsert, p50", "SDK: upsert, p50"),
    ("Upserts, 16 at once", "SQLite: upserts, one a commit", "HTTP: upsert, 16 at once", None),
    ("… SQLite with 32 a commit", "SQLite: upserts, 32 a commit", None, None),
    ("Point read", "SQLite: point read, p50", "HTTP: point read, p50", "SDK: point read, p50"),
    ("Latest 50", "SQLite: latest 50, p50", "HTTP: latest 50, p50", "SDK: latest 50, p50"),
)
# The parts of one order's time, by what the page calls them.
_PARTS = (
    ("Message sent, received, orchestration made", "to the start"),
    ("The turn that schedules `validate_order`, and its call", "validate_order"),
    ("… `enrich_order`", "enrich_order"),
    ("… `persist_order`, which writes to Cosmos DB", "persist_order"),
    ("… `notify_order`, which publishes an event", "notify_order"),
    ("Between one and the next", "between the steps"),
)
# The figures that the page shows, by what it calls them. The whole table stands beside the plots.
_SHOWN = (
    ("Single orders, 200 on the queue at once", "singles-200: orders per second"),
    ("… 1,000", "singles-1000: orders per second"),
    ("… 5,000", "singles-5000: orders per second"),
    ("CPU time of an order, host and worker", "singles-1000: CPU per order"),
    ("One order on an idle system, p50", "latency: p50"),
    ("… p95", "latency: p95"),
    ("… p99", "latency: p99"),
    ("A batch of 100", "batches: 100 orders"),
    ("… 1,000", "batches: 1000 orders"),
    ("… 5,000", "batches: 5000 orders"),
    ("… exponent of its growth (1 is linear)", "batches: growth exponent"),
    ("Status polls, 16 at once", "polls: 16 at once"),
    ("Latest 50 of 100,000 orders, p50", "latest: 50 of 100000, p50"),
    (
        "Start with an empty folder, to the first served request",
        "start-up: to the first served request",
    ),
    ("Import of the app, not yet compiled", "imports: function_app, not yet compiled"),
    ("… compiled", "imports: function_app, compiled"),
    ("Resident memory after 10,000 orders", "memory: resident after 10000"),
    ("… after 50,000", "memory: resident after 50000"),
    ("… growth between them (1 is flat)", "memory: growth from 10000 to 50000"),
    ("Disk an order", "memory: disk per order"),
    ("CPU of an episode and its activity, over the library's own replay", "episodes: ratio"),
    ("Fan-out to 1,000 activities", "fan-out: 1000 activities"),
    ("… to 5,000", "fan-out: 5000 activities"),
    ("What the gateway adds to a poll, product Basic", "gateway: added by Basic, p50"),
    ("… product Premium, its ledger written", "gateway: added by Premium with its ledger, p50"),
)


def publish(run: Mapping[str, Any]) -> None:
    """Write JSON, table and plots; what the run does not have stays as it was."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _write(merged(run))


def publish_again(run: Mapping[str, Any]) -> None:
    """Write a later run's medians beside those that are published."""
    medians = {figure["name"]: figure["median"] for figure in run["figures"]}
    kept = _kept()
    for figure in kept["figures"]:
        if figure["name"] in medians:
            figure["again"] = medians[figure["name"]]
    _write(kept)


def _write(run: Mapping[str, Any]) -> None:
    (FOLDER / "benchmarks.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    (FOLDER / "benchmarks.md").write_text(table(run), encoding="utf-8")
    _plot({figure["name"]: figure for figure in run["figures"]}, FOLDER / "benchmarks.svg")
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), run), encoding="utf-8")


def merged(run: Mapping[str, Any]) -> dict[str, Any]:
    """The run, with the kept figures of those measurements that it does not have."""
    kept = _kept()["figures"]
    anew = {_measurement(figure) for figure in run["figures"]}
    figures = []
    for name in dict.fromkeys(_measurement(figure) for figure in [*kept, *run["figures"]]):
        source = run["figures"] if name in anew else kept
        figures += [figure for figure in source if _measurement(figure) == name]
    return {**run, "figures": figures}


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((FOLDER / "benchmarks.json").read_text(encoding="utf-8"))
    return kept


def noise(figures: Sequence[Mapping[str, Any]]) -> str:
    """How far the medians of the later run lie from those of the first; empty without one."""
    apart = {
        figure["name"]: abs(figure["again"] / figure["median"] - 1)
        for figure in figures
        if figure.get("again") is not None and figure["median"]
    }
    if not apart:
        return ""
    # Shares of a profile say where time went, and little of how much; costs are counts.
    timed = {name: far for name, far in apart.items() if not name.startswith(("profile:", "cost:"))}
    widest = max(timed, key=lambda name: timed[name])
    middle = statistics.median(timed.values())
    return (
        f"Measured again, the medians of {len(timed)} figures differed by {middle:.0%} in the "
        f"middle and by {timed[widest]:.0%} at most ({widest})."
    )


def _measurement(figure: Mapping[str, Any]) -> str:
    return str(figure["name"]).partition(":")[0]


def with_figures(page: str, run: Mapping[str, Any]) -> str:
    """The page with this run's figures in their place."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{_section(run)}\n{_END}{after}"


def _section(run: Mapping[str, Any]) -> str:
    figures = {figure["name"]: figure for figure in run["figures"]}
    lines = [_about(run), "", "| What | Median | Lowest to highest | Floor |"]
    lines.append("|---|---:|---:|---:|")
    for label, name in _SHOWN:
        figure = figures[name]
        span = f"{_number(figure['lowest'])} to {_number(figure['highest'])}"
        lines.append(f"| {label} | {_told(figure)} | {span} | {FLOORS.get(name, '')} |")
    if apart := noise(run["figures"]):
        lines += ["", apart]
    lines += ["", "| Store with 100,000 orders, medians | SQLite alone | HTTP | azure-cosmos |"]
    lines.append("|---|---:|---:|---:|")
    for label, *names in _STORE:
        ways = (_told(figures[f"cosmos: {each}"]) if each else "" for each in names)
        lines.append(f"| {label} | {' | '.join(ways)} |")
    lines += ["", "| Where the time of one order goes, medians | ms |", "|---|---:|"]
    for label, part in _PARTS:
        lines.append(f"| {label} | {figures[f'latency: {part}']['median']:.1f} |")
    lines += [
        "",
        "| Who holds the interpreter | Host process | Worker process |",
        "|---|---:|---:|",
    ]
    shares = _those(figures, r"profile: (?:host|worker) process: (.+)")
    for subject in dict.fromkeys(name for name, _ in shares):
        cells = (
            figures.get(f"profile: {process} process: {subject}") for process in ("host", "worker")
        )
        told = (f"{cell['median']:.0f} %" if cell else "" for cell in cells)
        lines.append(f"| {subject} | {' | '.join(told)} |")
    return "\n".join(lines)


def _told(figure: Mapping[str, Any]) -> str:
    return f"{_number(figure['median'])} {figure['unit']}".strip()


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _about(run: Mapping[str, Any]) -> str:
    about = ", ".join(f"{name} {value}" for name, value in run["machine"].items())
    return f"Machine: {about}."


def table(run: Mapping[str, Any]) -> str:
    """The run as a page of Markdown."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench ARGS=--publish`; what each figure is: `benchmarks/`.",
        "",
        _about(run),
        "",
        "![plots of the main figures](benchmarks.svg)",
        "",
        *((told, "") if (told := noise(run["figures"])) else ()),
        "| What | Median | Lowest | Highest | Unit | Runs | Again |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    for figure in run["figures"]:
        values = (f"{figure[name]:.4g}" for name in ("median", "lowest", "highest"))
        again = f"{figure['again']:.4g}" if figure.get("again") is not None else ""
        lines.append(
            f"| {figure['name']} | {' | '.join(values)} | {figure['unit']} "
            f"| {figure['repetitions']} | {again} |"
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
    rate.axhline(ORDERS_PER_S, linestyle="--", color="gray", label="floor")
    rate.set(title="Single orders", ylabel="orders per second")
    _bars(latency, _those(figures, r"latency: (p\d+)"), "one order on an idle system")
    latency.axhline(P50_MS, linestyle="--", color="gray", label="floor of p50")
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
