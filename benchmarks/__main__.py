"""Measures and prints: a table, or JSON with `--json`; `--publish` keeps both with their plots, and
`--again` the medians of a later run beside them. With `--floors` it ends with 1 if a figure is
worse than the floor that was set for it.

Each measurement has a fresh system and an empty data folder. Figures are medians over the
repetitions, with the lowest and highest beside them. Nothing is measured that was not also checked:
a measurement ends when every order is where it should be, and fails if that does not come.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import (
    cosmos,
    cost,
    engine,
    floors,
    gateway,
    measurements,
    profile,
    reading,
    report,
    starting,
)

Measurement = Callable[[], Awaitable[measurements.Measured]]

MEASUREMENTS: dict[str, Measurement] = {
    "singles-200": lambda: measurements.singles(200),
    "singles-1000": lambda: measurements.singles(1000),
    "singles-5000": lambda: measurements.singles(5000),
    "latency": lambda: measurements.latency(200),
    "batches": lambda: measurements.batches((100, 1000, 5000)),
    "polls": lambda: reading.polls(2000),
    "latest": lambda: reading.latest(100_000, 200),
    "cosmos": lambda: cosmos.cosmos(100_000, 2000),
    "start-up": starting.start_up,
    "imports": starting.imports,
    "gateway": lambda: gateway.status_poll(1000),
    "episodes": lambda: engine.episodes(300),
    "fan-out": lambda: engine.fan_out((100, 1000, 5000)),
    "memory": lambda: measurements.memory(50_000, 10_000),
    "profile": lambda: profile.profile(1500),
    "cost": lambda: cost.cost(1000),
}
# The same code with less to do, for a run that only shows that each measurement still works.
SHORT: dict[str, Measurement] = {
    "singles-200": MEASUREMENTS["singles-200"],
    "latency": lambda: measurements.latency(30),
    "batches": lambda: measurements.batches((100, 400)),
    "polls": lambda: reading.polls(200),
    "latest": lambda: reading.latest(1000, 20),
    "cosmos": lambda: cosmos.cosmos(1000, 100),
    "start-up": starting.start_up,
    "imports": starting.imports,
    "gateway": lambda: gateway.status_poll(100),
    "episodes": lambda: engine.episodes(20),
    "fan-out": lambda: engine.fan_out((10, 100)),
    "memory": lambda: measurements.memory(400, 200),
    "cost": lambda: cost.cost(20),
}
# These show a course, shares or counts; a repetition adds little.
_ONCE = frozenset({"memory", "profile", "cost"})


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)} (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions (default: 3)")
    parser.add_argument("--short", action="store_true", help="small and once: does it work at all?")
    parser.add_argument(
        "--publish", action="store_true", help="write what was measured to docs/figures"
    )
    parser.add_argument(
        "--again", action="store_true", help="write the medians beside what is published"
    )
    parser.add_argument(
        "--floors", action="store_true", help="exit code 1 if a figure is worse than its floor"
    )
    given = parser.parse_args()
    chosen = SHORT if given.short else MEASUREMENTS
    names = given.names or list(chosen)
    unknown = sorted(set(names) - set(chosen))
    if unknown:
        parser.error(f"unknown measurement {unknown[0]}; there are {', '.join(chosen)}")
    if (given.publish or given.again) and given.short:
        parser.error("what is published is of the full size: leave out --short")
    if given.publish and given.again:
        parser.error("--again keeps a run beside the one that --publish kept: give one of them")
    about = report.machine()
    repeat = 1 if given.short else given.repeat
    figures = [figure for name in names for figure in _measure(name, chosen[name], repeat)]
    run = report.document(about, figures)
    if given.json:
        sys.stdout.write(json.dumps(run) + "\n")
    else:
        report.show(about, figures)
    if given.publish or given.again:
        from benchmarks import publishing  # noqa: PLC0415 - the plots' library is not always there

        keep = publishing.publish_again if given.again else publishing.publish
        keep(run)
    if given.floors:
        _hold_to_floors(run["figures"])


def _hold_to_floors(figures: list[dict[str, Any]]) -> None:
    missed = floors.missed(figures)
    for line in missed:
        sys.stderr.write(f"{line}\n")
    if missed:
        raise SystemExit(1)


def _measure(name: str, measurement: Measurement, repeat: int) -> list[report.Figure]:
    repeat = 1 if name in _ONCE else repeat
    runs = []
    for number in range(repeat):
        sys.stderr.write(f"{name} ({number + 1} of {repeat}) ...\n")
        runs.append(asyncio.run(_run(measurement)))
    return report.figures_of(name, runs)


async def _run(measurement: Measurement) -> measurements.Measured:
    return await measurement()


if __name__ == "__main__":
    main()
