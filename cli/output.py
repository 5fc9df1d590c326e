"""Where things are printed: data on stdout, talk on stderr, colour only on a terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

_COLOURS = {
    "processed": "green",
    "completed": "green",
    "rejected": "yellow",
    "queued": "cyan",
    "running": "cyan",
    "failed": "red",
    "terminated": "red",
}


@dataclass
class Output:
    """How this run prints; `as_json` prints JSON on stdout and nothing else there."""

    as_json: bool = False
    out: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    talk: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    def json(self, value: Any) -> None:
        """Print JSON: indented for a person at a terminal, one line for a program."""
        indent = 2 if sys.stdout.isatty() else None
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print rows: a table on a terminal, tab-separated lines otherwise."""
        if not self.out.is_terminal:
            for row in rows:
                sys.stdout.write("\t".join(_plain(cell) for cell in row) + "\n")
            return
        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*(_cell(cell) for cell in row))
        self.out.print(table)

    def say(self, text: str, style: str | None = None) -> None:
        """Tell the person something; it is not data."""
        self.talk.print(Text(text, style=style or ""))

    def progress(self) -> Progress:
        """A progress bar on stderr, drawn on a terminal only."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.talk,
            disable=not self.talk.is_terminal,
        )


def _plain(cell: object) -> str:
    text = "" if cell is None else str(cell)
    # A tab or newline out of an order must not make a column or a line of its own.
    return text.replace("\t", " ").replace("\n", " ")


def _cell(cell: object) -> Text:
    # Text, not markup: what came out of an order is shown as it is.
    text = "" if cell is None else str(cell)
    return Text(text, style=_COLOURS.get(text, ""))
