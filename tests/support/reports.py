"""What the functions of a test's app tell: a line of JSON each, in a file that the test reads."""

import json
from pathlib import Path
from typing import Any

from tests.support.emulator import until

# For an app's source: `report(fn="name", ...)` appends a line to the file that REPORT names.
REPORT = """
    def report(**what):
        with open(os.environ["REPORT"], "a") as file:
            file.write(json.dumps(what) + "\\n")
"""


class Reports:
    """What the app's functions reported."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, function: str) -> list[dict[str, Any]]:
        """Everything that one function told, in order."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines()
        return [entry for entry in map(json.loads, lines) if entry["fn"] == function]

    async def until(self, function: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many of them."""

        async def enough() -> list[dict[str, Any]] | None:
            found = self.of(function)
            return found if len(found) >= count else None

        return await until(enough, f"{count} reports of {function}")
