"""Reads orders from a file or standard input: one object, an array, a batch, or NDJSON. Pure but
for the reading."""

import json
import sys
from pathlib import Path
from typing import Any


class BadInput(Exception):
    """The file holds no orders; the text names the place."""


def read_text(source: str) -> str:
    """The text of a file, or of standard input for `-`.

    Raises:
        BadInput: it cannot be read, or is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{_called(source)} is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise BadInput(f"Cannot read {source}: {error.strerror}.") from error


def _called(source: str) -> str:
    return "Standard input" if source == "-" else source


def parse_orders(text: str, source: str) -> list[dict[str, Any]]:
    """The orders of a text, in order.

    A text that is one JSON value is an order, an array of orders or `{"orders": [...]}`; any other
    is taken as NDJSON, an order a line, empty lines apart.

    Raises:
        BadInput: nothing there, not JSON, or an entry is not an object.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        entries = _lines(text, source)
    else:
        inner = value.get("orders") if isinstance(value, dict) else None
        if isinstance(inner, list):
            value = inner
        entries = value if isinstance(value, list) else [value]
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise BadInput(f"{_called(source)}: entry {number} is not a JSON object.")
    if not entries:
        raise BadInput(f"{_called(source)} holds no orders.")
    return entries


def _lines(text: str, source: str) -> list[Any]:
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise BadInput(f"{_called(source)}, line {number}: not JSON: {error.msg}.") from error
    return entries
