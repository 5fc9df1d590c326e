"""The run history's rows: plain functions that run in the writer's transaction, or a reader.

Inputs and outputs are kept up to a size. Of the iterations of a loop that succeeded, only status
and times are: a file of thousands of orders would otherwise be kept as often as actions touch it.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.logicapp.expressions.values import to_json
from emulator.logicapp.model import ActionResult, Status

SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
SCHEMA_VERSION = 1
_KEPT_BYTES = 16 * 1024


@dataclass(frozen=True)
class RunRow:
    """A run as it is listed."""

    number: int
    id: str
    status: str
    started_at: str
    ended_at: str | None
    trigger: Any
    error: Any


@dataclass(frozen=True)
class ActionRow:
    """What became of an action of a run."""

    number: int
    name: str
    repetition: str
    result: Any


def kept(value: Any) -> Any:
    """A value for the history: itself, or a word on it if it is large."""
    if _size(value, _KEPT_BYTES) <= _KEPT_BYTES:
        return value
    what = f"{len(value)} items" if isinstance(value, list) else f"over {_KEPT_BYTES} bytes"
    return {"$omitted": what}


def _size(value: Any, limit: int) -> int:
    """Roughly the bytes of a value's JSON; counting ends soon after the limit."""
    if isinstance(value, str):
        return len(value) + 2
    if not isinstance(value, dict | list):
        return 8
    total = 2
    for each in value.items() if isinstance(value, dict) else value:
        if isinstance(each, tuple):
            total += len(each[0]) + 4 + _size(each[1], limit - total)
        else:
            total += 1 + _size(each, limit - total)
        if total > limit:
            break
    return total


def action_row(result: ActionResult) -> tuple[str, str, str, str]:
    """The row of a result."""
    shown = result.to_dict()
    shown["properties"] = {"type": result.type, "retries": result.retries}
    is_dull = result.repetition is not None and result.status is Status.SUCCEEDED
    for name in ("inputs", "outputs"):
        if name in shown:
            if is_dull:
                del shown[name]
            else:
                shown[name] = kept(shown[name])
    return result.name, result.repetition or "", str(result.status), to_json(shown)


def insert_run(
    connection: sqlite3.Connection,
    run_id: str,
    workflow: str,
    started_at: str,
    trigger: Mapping[str, Any],
) -> int:
    """Note that a run has begun; its number."""
    cursor = connection.execute(
        "INSERT INTO run (id, workflow, status, started_at, trigger) VALUES (?, ?, ?, ?, ?)",
        (run_id, workflow, Status.RUNNING, started_at, to_json(kept(trigger))),
    )
    return int(cursor.lastrowid or 0)


def insert_actions(
    connection: sqlite3.Connection, run_id: str, rows: Iterable[tuple[str, str, str, str]]
) -> None:
    """Note what became of actions."""
    (number,) = connection.execute("SELECT number FROM run WHERE id = ?", (run_id,)).fetchone()
    connection.executemany(
        "INSERT INTO action (run, name, repetition, status, result) VALUES (?, ?, ?, ?, ?)",
        [(number, *row) for row in rows],
    )


def end_run(
    connection: sqlite3.Connection, run_id: str, status: Status, ended_at: str, error: Any
) -> None:
    """Note how a run ended."""
    connection.execute(
        "UPDATE run SET status = ?, ended_at = ?, error = ? WHERE id = ?",
        (status, ended_at, None if error is None else to_json(error), run_id),
    )


def abort_running(connection: sqlite3.Connection, workflow: str, now: str) -> int:
    """Runs whose process died are aborted; how many there were."""
    error = to_json({"code": "RunAborted", "message": "The process of this run ended."})
    cursor = connection.execute(
        "UPDATE run SET status = ?, ended_at = ?, error = ? WHERE workflow = ? AND status = ?",
        (Status.ABORTED, now, error, workflow, Status.RUNNING),
    )
    return cursor.rowcount


def prune(connection: sqlite3.Connection, workflow: str, before: str) -> None:
    """Forget runs that ended before an instant."""
    old = "SELECT number FROM run WHERE workflow = ? AND ended_at < ?"
    connection.execute(f"DELETE FROM action WHERE run IN ({old})", (workflow, before))  # noqa: S608
    connection.execute("DELETE FROM run WHERE workflow = ? AND ended_at < ?", (workflow, before))


def select_runs(
    connection: sqlite3.Connection,
    workflow: str,
    *,
    status: str | None,
    before: int | None,
    limit: int,
) -> list[RunRow]:
    """Runs, latest first."""
    rows = connection.execute(
        "SELECT number, id, status, started_at, ended_at, trigger, error FROM run "
        "WHERE workflow = ? AND (? IS NULL OR status = ?) AND (? IS NULL OR number < ?) "
        "ORDER BY number DESC LIMIT ?",
        (workflow, status, status, before, before, limit),
    )
    return [_run(row) for row in rows]


def select_run(connection: sqlite3.Connection, workflow: str, run_id: str) -> RunRow | None:
    """One run."""
    row = connection.execute(
        "SELECT number, id, status, started_at, ended_at, trigger, error FROM run "
        "WHERE workflow = ? AND id = ?",
        (workflow, run_id),
    ).fetchone()
    return None if row is None else _run(row)


def select_actions(
    connection: sqlite3.Connection,
    run: int,
    *,
    name: str | None,
    status: str | None,
    after: int,
    limit: int,
) -> list[ActionRow]:
    """Actions of a run in the order of their ends: those outside of loops, or one with all its
    repetitions."""
    rows = connection.execute(
        "SELECT number, name, repetition, result FROM action WHERE run = ? AND number > ? "
        "AND ((? IS NULL AND repetition = '') OR name = ?) AND (? IS NULL OR status = ?) "
        "ORDER BY number LIMIT ?",
        (run, after, name, name, status, status, limit),
    )
    return [
        ActionRow(number, found, repetition, json.loads(result))
        for number, found, repetition, result in rows
    ]


def _run(row: tuple[Any, ...]) -> RunRow:
    number, run_id, status, started_at, ended_at, trigger, error = row
    return RunRow(
        number,
        run_id,
        status,
        started_at,
        ended_at,
        json.loads(trigger),
        None if error is None else json.loads(error),
    )
