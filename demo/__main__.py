"""Runs the sample day: `make demo`, or `python -m demo`.

Starts the emulator on free ports with an empty data folder, sends every order of `samples/` by its
way in (those for the API through the gateway, with a subscription key and a token), injects an
outage, waits until every order has ended, compares what is there with `samples/expected.json`, and
prints a table. The last line on stdout is one JSON object. Exits 0 only if every order is where it
should be.
"""

import argparse
import asyncio
import json
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.day import DayResult, run_day
from demo.looking import NotInTime
from emulator.access import NoAccess, find_access
from emulator.launch import EmulatorProcess, StartFailed

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="The sample day of orders, checked.")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=ROOT / ".local" / "demo",
        help="emptied first, and left for a look afterwards (default: %(default)s)",
    )
    data_dir: Path = parser.parse_args().data_dir
    console = Console(stderr=True, highlight=False)
    if data_dir.exists():
        shutil.rmtree(data_dir)
    emulator = EmulatorProcess(
        data_dir,
        script_root=ROOT,
        arguments=(
            *("--settings", str(ROOT / "local.settings.sample.json")),
            *("--seed", str(ROOT / "samples" / "seed.json")),
        ),
    )
    started = time.monotonic()
    try:
        doors = emulator.start()
        console.print(f"The emulator serves (log: {emulator.log_path}).")
        result = asyncio.run(run_day(doors, find_access(data_dir), ROOT / "samples", console))
    except (StartFailed, NoAccess, NotInTime, ExceptionGroup) as error:
        sys.stderr.write(f"demo: {_text(error)}\nThe emulator's log: {emulator.log_path}\n")
        return 1
    finally:
        emulator.stop()
    seconds = round(time.monotonic() - started, 1)
    _print(console, result)
    sys.stdout.write(json.dumps({**result.counts, "seconds": seconds}) + "\n")
    return 1 if result.faults else 0


def _text(error: BaseException) -> str:
    """An error in one line; of a group, its first."""
    if isinstance(error, BaseExceptionGroup):
        return _text(error.exceptions[0])
    return f"{type(error).__name__}: {error}"


def _print(console: Console, result: DayResult) -> None:
    table = Table("", "found", "expected", box=None, header_style="bold")
    for name, wanted in result.expected.items():
        found = result.counts[name]
        style = "green" if found == wanted else "bold red"
        table.add_row(name, f"[{style}]{found}[/]", str(wanted))
    console.print(table)
    for name, url in result.urls.items():
        console.print(f"{name}: {url} (served while it ran; `make start` serves on)")
    for fault in result.faults:
        console.print(f"NOT AS IT SHOULD BE: {fault}", style="bold red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
