"""Measures and prints: a table, or JSON with `--json`.

Each measurement has a fresh system and an empty data folder. Figures are medians over the
repetitions, with the lowest and highest beside them.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import gateway, measurements


@dataclass(frozen=True)
class Figure:
    """One measured quantity over the repetitions."""

    name: str
    unit: str
    median: float
    lowest: float
    highest: float
    repetitions: int


Measurement = Callable[[], Awaitable[dict[str, tuple[float, str]]]]

MEASUREMENTS: dict[str, Measurement] = {
    "singles-200": lambda: measurements.singles(200),
    "singles-1000": lambda: measurements.singles(1000),
    "singles-5000": lambda: measurements.singles(5000),
    "latency": lambda: measurements.latency(100),
    "batches": lambda: measurements.batches((100, 1000)),
    "gateway": lambda: gateway.status_poll(1000),
    "memory": lambda: measurements.memory(10_000),
}
_BY_DEFAULT = ("singles-200", "singles-1000", "latency", "batches", "gateway")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}, or all"
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions (default: 3)")
    given = parser.parse_args()
    names = list(MEASUREMENTS) if given.names == ["all"] else (given.names or list(_BY_DEFAULT))
    unknown = sorted(set(names) - set(MEASUREMENTS))
    if unknown:
        parser.error(f"unknown measurement {unknown[0]}; there are {', '.join(MEASUREMENTS)}")
    figures = [figure for name in names for figure in _measure(name, given.repeat)]
    machine = _machine()
    if given.json:
        value = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
        sys.stdout.write(json.dumps(value) + "\n")
    else:
        _print(machine, figures)


def _measure(name: str, repeat: int) -> list[Figure]:
    runs = []
    for number in range(repeat):
        sys.stderr.write(f"{name} ({number + 1} of {repeat}) ...\n")
        runs.append(asyncio.run(_run(name)))
    figures = []
    for quantity, (_, unit) in runs[0].items():
        values = [run[quantity][0] for run in runs]
        figures.append(
            Figure(
                f"{name}: {quantity}",
                unit,
                statistics.median(values),
                min(values),
                max(values),
                repeat,
            )
        )
    return figures


async def _run(name: str) -> dict[str, tuple[float, str]]:
    return await MEASUREMENTS[name]()


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "system": platform.system(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "loadAverageAtStart": round(os.getloadavg()[0], 2),
    }


def _print(machine: dict[str, Any], figures: list[Figure]) -> None:
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    table = Table("what", "median", "lowest", "highest", "unit", box=None, header_style="bold")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.median:.4g}",
            f"{figure.lowest:.4g}",
            f"{figure.highest:.4g}",
            figure.unit,
        )
    console.print(table)


if __name__ == "__main__":
    main()
