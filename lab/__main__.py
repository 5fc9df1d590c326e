"""Runs the lab: `make lab`, or `python -m lab`.

Starts the emulator on free ports with an empty data folder, carries out every local step of
docs/lab.md, and prints green or red for each with the answer it got. Exits 0 only if all are green.
"""

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from emulator.access import DATA_VARIABLE
from emulator.launch import EmulatorProcess, StartFailed
from lab.commands import CannotRun, Shell
from lab.page import Step, missing_line, read_steps

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "lab.md"
# A line of evidence is to be read, not scrolled.
_EVIDENCE = 100


@dataclass(frozen=True)
class Outcome:
    """What a step came to; `fault` is empty if it did as expected."""

    step: Step
    output: str
    fault: str


def main() -> int:
    """Run the lab; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lab", description="The local steps of docs/lab.md.")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=ROOT / ".local" / "lab",
        help="emptied first, and left for a look afterwards (default: %(default)s)",
    )
    data_dir: Path = parser.parse_args().data_dir.resolve()
    console = Console(highlight=False, soft_wrap=True)
    if data_dir.exists():
        shutil.rmtree(data_dir)
    emulator = EmulatorProcess(
        data_dir,
        script_root=ROOT,
        arguments=("--settings", str(ROOT / "local.settings.sample.json")),
    )
    try:
        emulator.start()
        shell = Shell(ROOT, {DATA_VARIABLE: str(data_dir)})
        outcomes = [_shown(console, carry_out(step, shell)) for step in steps()]
    except StartFailed as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    finally:
        emulator.stop()
    red = sum(1 for outcome in outcomes if outcome.fault)
    console.print(f"{len(outcomes) - red} of {len(outcomes)} steps are green.")
    return 1 if red else 0


def steps() -> list[Step]:
    """The steps of the page."""
    return read_steps(PAGE.read_text(encoding="utf-8"))


def carry_out(step: Step, shell: Shell) -> Outcome:
    """Run the commands of a step and compare."""
    output = ""
    try:
        for command in step.commands:
            output += shell.run(command)
    except CannotRun as error:
        return Outcome(step, output, str(error))
    missing = missing_line(output, step.expected)
    return Outcome(step, output, f"expected, and not there: {missing}" if missing else "")


def _shown(console: Console, outcome: Outcome) -> Outcome:
    mark = "[bold red]RED  [/]" if outcome.fault else "[bold green]GREEN[/]"
    console.print(f"{mark} {outcome.step.title}")
    if outcome.fault:
        console.print(f"      {outcome.fault}", style="red", markup=False)
        for line in outcome.output.splitlines():
            console.print(f"      | {line}", markup=False)
    else:
        for line in _evidence(outcome.output):
            console.print(f"      {line[:_EVIDENCE]}", style="dim", markup=False)
    return outcome


def _evidence(output: str) -> list[str]:
    """Of each answer its first line and its body; the headers between them on request only."""
    shown: list[str] = []
    in_head = False
    for line in output.splitlines():
        if line.startswith("HTTP/1.1 "):
            shown.append(line)
            in_head = True
        elif not line.strip():
            in_head = False
        elif not in_head or line.lower().startswith(("x-", "location", "retry-after")):
            shown.append(line)
    return shown


if __name__ == "__main__":
    sys.exit(main())
