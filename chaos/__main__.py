"""`make chaos`: the crash matrix, deaths in the recovery, and a soak; writes docs/figures/chaos.*.

Exit code 0 if everything came out as undisturbed, 1 if not. The seed is printed, and for each run
that failed the command that runs it alone.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time

from chaos import matrix, report
from chaos.matrix import Case, Matrix, Run
from chaos.orders_day import ROOT
from chaos.report import Findings, Setup
from chaos.soak import soak

_FIGURES = ROOT / "docs" / "figures"
_POINTS, _RECOVERIES, _SOAK_S = 110, 6, 60.0
# The busiest stores at each moment, and a soak of a few lives.
_SHORT_POINTS, _SHORT_RECOVERIES, _SHORT_SOAK_S = 12, 1, 6.0


def main() -> None:
    """Run what the command line asks for."""
    given = _parser().parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    sys.stderr.write(f"seed {seed}\n")
    if given.case is not None:
        sys.exit(asyncio.run(_one(given.case, given.repeat)))
    findings = asyncio.run(_all(given, seed))
    value = report.to_json(findings)
    if given.write:
        report.write(value, _FIGURES)
    sys.stdout.write(json.dumps(value) + "\n" if given.json else report.to_markdown(value))
    for run in findings.bad:
        _tell(run)
    sys.exit(0 if findings.is_good else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    add = parser.add_argument
    add("--points", help=f"runs of the matrix: a number (default {_POINTS}), or all")
    add("--recoveries", type=int, help="deaths in the recovery, for each story")
    add("--soak", type=float, metavar="SECONDS", help=f"default {_SOAK_S:g}; 0 is none")
    add("--seed", type=int, help="what is drawn follows from it (default: a random one)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="runs side by side")
    add("--story", choices=list(matrix.STORIES), help="only this one; writes no figures")
    add("--short", action="store_true", help="a small set, under a minute; writes no figures")
    add("--json", action="store_true", help="JSON on stdout")
    add("--no-write", dest="write", action="store_false", help="leave docs/figures as it is")
    add("--case", type=_case, help="run only this, as a failure names it")
    add("--repeat", type=int, default=1, help="how often --case is run")
    return parser


def _case(text: str) -> Case:
    try:
        return Case.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


async def _one(case: Case, repeat: int) -> int:
    """Run one case by itself, again and again; the exit code."""
    story = matrix.STORIES[case.story]
    expected = (await matrix.reference(story)).outcome
    bad = 0
    for _ in range(repeat):
        run = await matrix.run(case, expected)
        sys.stdout.write(f"{run}\n")
        bad += not run.is_good
    return 1 if bad else 0


async def _all(given: argparse.Namespace, seed: int) -> Findings:
    rng = random.Random(seed)
    points = given.points or str(_SHORT_POINTS if given.short else _POINTS)
    recoveries = _default(given.recoveries, given.short, _RECOVERIES, _SHORT_RECOVERIES)
    seconds = _default(given.soak, given.short, _SOAK_S, _SHORT_SOAK_S)
    # A part of the matrix is no figure to publish.
    given.write = given.write and not given.short and given.story is None
    words = " ".join(sys.argv[1:])
    command = "make chaos" + (f' ARGS="{words}"' if words else "")
    findings = Findings(Setup(seed, points, given.jobs, command), Matrix())
    for name, story in matrix.STORIES.items():
        if given.story in (None, name):
            findings.matrix.references[name] = await matrix.reference(story)
    progress = _Progress()
    references = findings.matrix.references
    again = Matrix(references)
    cases = matrix.drawn_recoveries(references, int(recoveries), rng)
    if points == "all":
        await matrix.step_all(findings.matrix, given.jobs, progress.told)
    else:
        draw = matrix.drawn_few if given.short else matrix.drawn
        drawn = draw(references, int(points), rng)
        await matrix.run_all(drawn, findings.matrix, given.jobs, progress.told)
    await matrix.run_all(cases, again, given.jobs, progress.told)
    findings.recoveries = again.runs
    if seconds:
        findings.soak = await soak(seconds, seed)
    return findings


def _default(given: float | None, short: bool, full: float, small: float) -> float:
    if given is not None:
        return given
    return small if short else full


class _Progress:
    """Says on stderr how far it is, a line for each run."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._count = 0

    def told(self, run: Run) -> None:
        """Note that a run has ended."""
        self._count += 1
        word = "ok" if run.is_good else "FAILED"
        met = "" if run.met else " (not met)"
        passed_s = time.monotonic() - self._began
        sys.stderr.write(f"{passed_s:7.1f} s  {self._count:4}  {word}{met}  {run.case}\n")
        if not run.is_good:
            _tell(run)


def _tell(run: Run) -> None:
    told = [run.broken, *run.verdict.lost, *run.verdict.doubled, *run.verdict.different]
    sys.stderr.write("\n".join(f"    {each}" for each in told if each) + "\n")
    sys.stderr.write(f'    again: make chaos ARGS="--case {run.case}"\n')


if __name__ == "__main__":
    main()
