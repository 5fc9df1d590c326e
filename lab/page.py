"""Reads the steps out of docs/lab.md: headings, the commands below them, the answers to expect.

A fence ```` ```sh ```` holds commands to run here; ```` ```sh azure ```` is for Azure and left out;
```` ```text expect ```` holds what the output must show, line by line in this order, `…` standing
for anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADING = re.compile(r"#{2,3} (.+)")
_COMMANDS, _EXPECTED = "sh", "text expect"


@dataclass
class Step:
    """A heading's commands and the answer to expect; a step without an answer must only succeed."""

    title: str
    commands: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


def read_steps(page: str) -> list[Step]:
    """The steps of a page, in order; a heading without commands is none."""
    found: list[Step] = []
    step = Step("")
    for kind, lines in _parts(page):
        if kind == "heading":
            step = Step(lines[0])
        elif kind == _COMMANDS:
            step.commands += lines
            if step not in found:
                found.append(step)
        elif kind == _EXPECTED:
            step.expected += lines
    return found


def _parts(page: str) -> Iterator[tuple[str, list[str]]]:
    """Headings, and fences by their info string."""
    fence: str | None = None
    lines: list[str] = []
    for line in page.splitlines():
        if line.startswith("```"):
            if fence is None:
                fence, lines = line[3:].strip(), []
            else:
                yield fence, [text for text in lines if text.strip()]
                fence = None
        elif fence is not None:
            lines.append(line)
        elif (heading := _HEADING.fullmatch(line)) is not None:
            yield "heading", [heading[1]]


def missing_line(output: str, expected: list[str]) -> str | None:
    """The first expected line that the output does not show in its place; None if all are there."""
    position = 0
    for line in expected:
        pieces = [re.escape(piece) for piece in line.split("…")]
        # A line that does not begin or end with `…` begins or ends a line of the output.
        pattern = ("" if pieces[0] == "" else "^") + ".*?".join(pieces)
        if pieces[-1] != "":
            pattern += r"\s*$"
        match = re.compile(pattern, re.MULTILINE).search(output, position)
        if match is None:
            return line
        position = match.end()
    return None
