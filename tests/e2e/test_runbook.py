"""Every command of docs/runbook.md, in its order, in one shell, against a system just started.

Only the environment is substituted: where the data is, which ports are used, and where the commands
of `.venv/bin` are.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.emulator import REPOSITORY
from tests.support.pipeline import pipeline

_PAGE = REPOSITORY / "docs" / "runbook.md"
_SEED = ("--seed", str(REPOSITORY / "samples" / "seed.json"))
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TIMEOUT_S = 100
_END = "=== end of command"


@dataclass(frozen=True)
class Step:
    """A command, and the lines that it should print, `…` for any text."""

    command: str
    expected: list[str]


def steps() -> list[Step]:
    """Every command of the page, from the top."""
    found: list[Step] = []
    for block in _BLOCK.findall(_PAGE.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], []))
            else:
                found[-1].expected.append(line)
    return found


def run_all(commands: list[str], environment: dict[str, str]) -> list[tuple[int, str]]:
    """The exit code and the output of each; one shell runs them all."""
    # The loops of the page wait for what comes in a moment; the time limit is here.
    script = "".join(f"{command}\nprintf '\\n{_END} %s\\n' $?\n" for command in commands)
    done = subprocess.run(
        ["bash"],
        input=script.replace(".venv/bin/", f"{Path(sys.executable).parent}/"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
        cwd=REPOSITORY,
        env=environment,
    )
    parts = re.split(rf"^{_END} (\d+)$", done.stdout, flags=re.MULTILINE)
    return [(int(code), output) for output, code in zip(parts[:-1:2], parts[1::2], strict=True)]


def appears(line: str, output: str) -> bool:
    """Whether a line of the page is a line of the output; blanks may be tabs."""
    pattern = r"\s+".join(".*".join(map(re.escape, word.split("…"))) for word in line.split())
    return re.search(rf"^\s*{pattern}\s*$", output, re.MULTILINE) is not None


def test_every_command_does_what_the_page_says(tmp_path: Path) -> None:
    process = pipeline(tmp_path, _SEED)
    doors = process.start()
    environment = {name: value for name, value in os.environ.items() if name[:7] != "ORDERS_"}
    environment |= {
        "EMULATOR_DATA_DIR": str(tmp_path),
        "ORDERS_HOST": doors.host,
        "ORDERS_BUS": doors.servicebus,
    }
    found = steps()
    try:
        results = run_all([step.command for step in found], environment)
    finally:
        assert process.stop() == 0
    assert len(results) == len(found) > 20
    for step, (code, output) in zip(found, results, strict=True):
        assert code == 0, f"{step.command}\n{output}"
        for line in step.expected:
            assert appears(line, output), f"{step.command}\nprints no line '{line}':\n{output}"


def test_lines_are_compared_as_a_reader_would() -> None:
    assert appears("RUN-1 processed", "x\nRUN-1\tprocessed\t\n")
    assert appears("state … ok", "state  a b ok")
    assert not appears("RUN-1 processed", "RUN-11 processed")
    assert not appears("RUN-1 processed", "RUN-1 processed late")


def test_the_readme_leads_to_the_page() -> None:
    assert "docs/runbook.md" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
