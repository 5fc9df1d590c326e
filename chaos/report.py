"""The figures: a table for people and JSON for machines, of the same runs.

What was not run has a row that says so: a table never claims more than it saw.
"""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos.matrix import MOMENTS, STORIES, Matrix, Run
from chaos.soak import Soak

_NOT_RUN = "not run"


@dataclass(frozen=True)
class Setup:
    """How it was run."""

    seed: int
    points: str
    jobs: int
    command: str


@dataclass
class Findings:
    """All that was found."""

    setup: Setup
    matrix: Matrix
    soak: Soak | None = None
    recoveries: list[Run] = field(default_factory=list)

    @property
    def bad(self) -> list[Run]:
        """The runs that did not come out as undisturbed."""
        return [run for run in (*self.matrix.runs, *self.recoveries) if not run.is_good]

    @property
    def is_good(self) -> bool:
        """Whether everything that was run came out as it should."""
        return not self.bad and (self.soak is None or self.soak.is_good)


def to_json(findings: Findings) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "setup": vars(findings.setup),
        "undisturbed": {
            name: {"seconds": round(found.seconds, 2), "writes": dict(found.writes)}
            for name, found in findings.matrix.references.items()
        },
        "rows": rows(findings),
        "soak": _soak(findings.soak),
        "failures": [f"{run.case}: {_why(run)}" for run in findings.bad],
    }


def rows(findings: Findings) -> list[dict[str, Any]]:
    """A row for each story, store and moment, one for each story's recoveries, and the sum."""
    found = []
    for name, story in STORIES.items():
        reference = findings.matrix.references.get(name)
        for store in story.stores:
            for moment in MOMENTS:
                place = f"{store}.commit.{moment}"
                runs = [run for run in findings.matrix.runs if _is_at(run, name, place)]
                points = reference.writes[store] if reference else None
                found.append({"story": name, "place": place, "points": points, **_sums(runs)})
        again = [run for run in findings.recoveries if run.case.story == name]
        found.append(
            {"story": name, "place": "again, in the recovery", "points": None, **_sums(again)}
        )
    every = [*findings.matrix.runs, *findings.recoveries]
    points = sum(row["points"] or 0 for row in found)
    return [*found, {"story": "all", "place": "", "points": points, **_sums(every)}]


def _is_at(run: Run, story: str, place: str) -> bool:
    return run.case.story == story and run.case.deaths[0][0] == place


def _sums(runs: Sequence[Run]) -> dict[str, Any]:
    if not runs:
        return {"runs": 0, "state": _NOT_RUN}
    return {
        "runs": len(runs),
        "died": sum(run.met for run in runs),
        "lost": sum(len(run.verdict.lost) for run in runs),
        "doubled": sum(len(run.verdict.doubled) for run in runs),
        "different": sum(len(run.verdict.different) for run in runs),
        "broken": sum(bool(run.broken) for run in runs),
        "repeated": sum(run.verdict.repeated for run in runs),
        "recovery": spread([each for run in runs for each in run.recoveries_s]),
        "state": "run",
    }


def spread(seconds: Sequence[float]) -> dict[str, float] | None:
    """p50, p95 and the longest, in seconds; None of nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 3),
        "max": round(ordered[-1], 3),
    }


def _soak(soak: Soak | None) -> dict[str, Any]:
    if soak is None:
        return {"state": _NOT_RUN}
    return {
        "state": "run",
        "seed": soak.seed,
        "seconds": soak.seconds,
        "kills": soak.kills,
        "orders": soak.orders,
        "lost": len(soak.verdict.lost),
        "doubled": len(soak.verdict.doubled),
        "different": len(soak.verdict.different),
        "repeated": soak.verdict.repeated,
        "served": spread(soak.serves_s),
        "firstOrderCompleted": spread(soak.completes_s),
        "broken": soak.broken,
    }


def _why(run: Run) -> str:
    return "; ".join(
        [run.broken] * bool(run.broken)
        + [f"lost {each}" for each in run.verdict.lost]
        + [f"doubled {each}" for each in run.verdict.doubled]
        + list(run.verdict.different)
    )


def machine() -> dict[str, Any]:
    """What it was run on."""
    return {
        "cpus": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "loadAverageAtEnd": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def to_markdown(value: dict[str, Any]) -> str:
    """The same for people."""
    setup, on = value["setup"], value["machine"]
    lines = [
        "# Crashes",
        "",
        f"Written by `{setup['command']}` on {value['date']}: seed {setup['seed']}, points: "
        f"{setup['points']}, once each, {setup['jobs']} runs side by side, on {on['cpus']} CPUs "
        f"({on['processor']}), {on['system']}, Python {on['python']}, load average "
        f"{on['loadAverageAtEnd']} at the end.",
        "",
        "Each run is a whole reference day that dies once at one durable write of one store: in "
        "the middle of its transaction, before its COMMIT, or after it. It is started again on the "
        "same data, lives its day to the end, and is compared with the undisturbed run key by "
        "key. *Repeated* are effects that were made again under the same key, as at-least-once "
        "allows. Recovery is from the exec of the restart until the host serves with the app "
        "loaded, while the runs beside it take their share of the machine. The gateway keeps "
        "nothing of an order and takes no part.",
        "",
        "| story | death | writes | runs | died | lost | doubled | different | broken | repeated | "
        "recovery p50 | p95 | max |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in value["rows"]),
        "",
        *_soak_lines(value["soak"]),
    ]
    if value["failures"]:
        lines += ["", "Failures:", "", *(f"- `{each}`" for each in value["failures"])]
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any]) -> str:
    head = [row["story"], f"`{row['place']}`" if row["place"] else "", row["points"]]
    if row["state"] == _NOT_RUN:
        cells = [*head, _NOT_RUN, *[""] * 9]
    else:
        names = ("runs", "died", "lost", "doubled", "different", "broken", "repeated")
        cells = [*head, *(row[name] for name in names), *_seconds(row["recovery"])]
    return "| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |"


def _seconds(found: dict[str, float] | None) -> list[str]:
    return ["", "", ""] if found is None else [f"{found[name]:.2f} s" for name in found]


def _soak_lines(soak: dict[str, Any]) -> list[str]:
    if soak["state"] == _NOT_RUN:
        return ["The soak was not run."]
    served, first = _seconds(soak["served"]), _seconds(soak["firstOrderCompleted"])
    return [
        f"Soak: {soak['seconds']:g} s of orders without end and SIGKILL at random moments, seed "
        f"{soak['seed']}: {soak['kills']} kills, {soak['orders']} orders acknowledged, "
        f"{soak['lost']} lost, {soak['doubled']} doubled, {soak['different']} different, "
        f"{soak['repeated']} events repeated under their key.",
        "",
        "| from the exec of the restart, one at a time | p50 | p95 | max |",
        "|---|---|---|---|",
        f"| until the host serves | {' | '.join(served)} |",
        f"| until the first order completes | {' | '.join(first)} |",
        *(["", f"The soak broke: {soak['broken']}"] if soak["broken"] else []),
    ]


def write(value: dict[str, Any], folder: Path) -> None:
    """Put both into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.json").write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    (folder / "chaos.md").write_text(to_markdown(value), encoding="utf-8")
