"""Reads instances for status bodies and listings, and finds those to purge: pieces of reads."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from emulator.taskhub.model import Event
from emulator.taskhub.store import delete_instance

# SQLite's largest integer: a time without bound.
FOREVER = (1 << 63) - 1
# Sorts after every character, so that a prefix has an end.
_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of an instance; texts as they are stored, times in microseconds."""

    id: str
    name: str
    status: str
    input: str | None
    output: str | None
    custom_status: str | None
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which instances: created in a span, in one of some statuses (none: any), with an id that
    begins with `prefix` and comes after `after`."""

    created_from: int = 0
    created_to: int = FOREVER
    statuses: Collection[str] = ()
    prefix: str = ""
    after: str = ""


_COLUMNS = "id, name, status, text, output, custom_status, created, updated"


def find(db: sqlite3.Connection, instance_id: str) -> Snapshot | None:
    """One instance, or None."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM instance"  # noqa: S608 - a constant
        " LEFT JOIN input ON input.instance = instance.key WHERE id = ?",
        (instance_id,),
    ).fetchone()
    return None if row is None else Snapshot(*row)


def find_with_history(
    db: sqlite3.Connection, instance_id: str
) -> tuple[Snapshot, list[Event]] | None:
    """One instance with its history as far as it is stored, or None."""
    db.execute("BEGIN")
    try:
        snapshot = find(db, instance_id)
        rows = db.execute(
            "SELECT events FROM history WHERE instance ="
            " (SELECT key FROM instance WHERE id = ?) ORDER BY seq",
            (instance_id,),
        ).fetchall()
    finally:
        db.execute("COMMIT")
    if snapshot is None:
        return None
    return snapshot, [event for row in rows for event in json.loads(row[0])]


def list_page(db: sqlite3.Connection, wanted: Filter, limit: int) -> list[Snapshot]:
    """Instances by id, at most `limit`."""
    where, values = _where(wanted)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM instance"  # noqa: S608 - constants and placeholders
        f" LEFT JOIN input ON input.instance = instance.key WHERE {where} ORDER BY id LIMIT ?",
        (*values, limit),
    ).fetchall()
    return [Snapshot(*row) for row in rows]


def purge(db: sqlite3.Connection, wanted: Filter) -> list[str]:
    """Remove the instances that a filter finds; returns their ids."""
    where, values = _where(wanted)
    rows = db.execute(
        f"SELECT key, id FROM instance WHERE {where}",  # noqa: S608 - constants and placeholders
        values,
    ).fetchall()
    for key, _ in rows:
        delete_instance(db, key)
    return [row[1] for row in rows]


def purge_ended(db: sqlite3.Connection, status: str, before: int, limit: int) -> list[str]:
    """Remove instances that ended so before a time, at most `limit`; returns their ids."""
    rows = db.execute(
        "SELECT key, id FROM instance WHERE status = ? AND updated < ? LIMIT ?",
        (status, before, limit),
    ).fetchall()
    for key, _ in rows:
        delete_instance(db, key)
    return [row[1] for row in rows]


def purge_one(db: sqlite3.Connection, instance_id: str) -> bool:
    """Remove one instance, whatever its state; False if there is none."""
    row = db.execute("SELECT key FROM instance WHERE id = ?", (instance_id,)).fetchone()
    if row is not None:
        delete_instance(db, row[0])
    return row is not None


def _where(wanted: Filter) -> tuple[str, tuple[object, ...]]:
    clauses = ["id > ?", "created BETWEEN ? AND ?"]
    values: list[object] = [wanted.after, wanted.created_from, wanted.created_to]
    if wanted.prefix:
        clauses.append("id >= ? AND id < ?")
        values += [wanted.prefix, wanted.prefix + _LAST_CHARACTER]
    if wanted.statuses:
        clauses.append(f"status IN ({', '.join('?' * len(wanted.statuses))})")
        values += sorted(wanted.statuses)
    return " AND ".join(clauses), tuple(values)
