"""Figures, the machine they were measured on, and how both are shown and kept."""

import datetime
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Figure:
    """One measured quantity over the repetitions."""

    name: str
    unit: str
    median: float
    lowest: float
    highest: float
    repetitions: int


def figures_of(name: str, runs: Sequence[Mapping[str, tuple[float, str]]]) -> list[Figure]:
    """A figure for each quantity that the runs of one measurement brought."""
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
                len(values),
            )
        )
    return figures


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "processor": _from_proc("cpuinfo", "model name") or platform.machine(),
        "memoryGB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "loadAverageAtStart": round(os.getloadavg()[0], 2),
    }


def document(about: Mapping[str, Any], figures: Sequence[Figure]) -> dict[str, Any]:
    """The JSON form of a run."""
    return {"machine": dict(about), "figures": [asdict(figure) for figure in figures]}


def show(about: Mapping[str, Any], figures: Sequence[Figure]) -> None:
    """Print a run as a table for people."""
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))
    table = Table("what", "median", "lowest", "highest", "unit", box=None, header_style="bold")
    for figure in figures:
        table.add_row(
            figure.name,
            *(f"{value:.4g}" for value in (figure.median, figure.lowest, figure.highest)),
            figure.unit,
        )
    console.print(table)


def _from_proc(file: str, wanted: str) -> str | None:
    path = Path("/proc") / file
    if not path.is_file():
        return None
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == wanted:
            return value.strip()
    return None
