"""SQLite indexes for what a container's definition names: unique keys, included paths, composites.

The service indexes every path; SQLite only what it is told to. A unique key is a rule and always
gets its index. Paths written out in the indexing policy are hints, and get one each.

Source: specification, sections 6.5 (unique keys) and 8.4 (indexing).
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Any

from emulator.cosmos.definition import unique_keys
from emulator.cosmos.errors import CosmosError, bad_request, unique_key_conflict
from emulator.cosmos.partition import parse_path
from emulator.cosmos.sql.paths import json_path

_SYSTEM = {"_ts": "ts", "id": "id"}


def create_declared_indexes(
    connection: sqlite3.Connection, table: str, definition: dict[str, Any]
) -> None:
    """Make the indexes that a definition asks for, and that are missing.

    Raises:
        CosmosError: 409 where items break a unique key.
    """
    for paths in unique_keys(definition):
        columns = ["epk", *[f"coalesce({_text_column(path)}, 'null')" for path in paths]]
        try:
            create_index(connection, table, columns, unique=True)
        except sqlite3.IntegrityError:
            raise unique_key_conflict() from None
    policy = definition.get("indexingPolicy") or {}
    for entry in policy.get("includedPaths") or []:
        column = _hint(entry)
        if column is not None:
            create_index(connection, table, [column])
    for composite in policy.get("compositeIndexes") or []:
        columns = []
        for entry in composite if isinstance(composite, list) else []:
            column = _hint(entry)
            if column is not None:
                descending = str(entry.get("order", "")).lower() == "descending"
                columns.append(column + (" DESC" if descending else ""))
        if columns and columns[-1].endswith(" DESC"):
            # Ties go by age, in the direction of the last key.
            columns.append("seq DESC")
        if columns:
            create_index(connection, table, columns)


def _hint(entry: Any) -> str | None:
    """The column for a path of the policy, or None where the path has a wildcard."""
    path = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(path, str):
        return None
    path = path.removesuffix("/?")
    if "*" in path or "[]" in path:
        return None
    try:
        return _column(path)
    except CosmosError:
        return None


def _text_column(path: str) -> str:
    """The JSON text at a path, which tells apart all values of all types."""
    text = json_path(parse_path(path))
    if text is None:
        raise bad_request(f"The unique key path '{path}' is not supported.")
    return f"(body -> {text})"


def _column(path: str) -> str | None:
    """The native value at a path, which is what compiled queries compare."""
    segments = parse_path(path)
    if len(segments) == 1 and segments[0] in _SYSTEM:
        return _SYSTEM[segments[0]]
    text = json_path(segments)
    return None if text is None else f"json_extract(body, {text})"


def create_index(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], *, unique: bool = False
) -> None:
    """Make an index on some columns unless there is one."""
    if list(columns) in (["ts"], ["id"]):
        return
    listed = ", ".join(columns)
    kind = "UNIQUE INDEX" if unique else "INDEX"
    # The name says what is indexed, so the same columns are not indexed twice.
    name = f"{table}_{hashlib.sha256(listed.encode()).hexdigest()[:16]}"
    connection.execute(f"CREATE {kind} IF NOT EXISTS {name} ON {table} ({listed})")
