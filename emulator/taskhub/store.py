"""Keeps instances in SQLite: every function is a piece of one transaction, handed a connection.

A turn of an instance is one guarded write: its row must still be at the turn that the plan was
made from, or nothing is written. What the turn sends (children to start, a parent to answer,
operations for entities) is written with it, so that nothing is half done after a crash.

Leaves out: what the rows mean (`chunks`, `episode`), rewinding (`rewinding`), entities
(`entity_store`), queries (`queries`).
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from emulator.database import Database
from emulator.faults import Faults
from emulator.taskhub import events
from emulator.taskhub.chunks import fold
from emulator.taskhub.inbox import Message, MessageKind
from emulator.taskhub.model import Event
from emulator.taskhub.state import TERMINAL, Instance, Parent, Status, Verdict

VERSION = 1
_dumps = json.JSONEncoder(separators=(",", ":")).encode


class Stale(Exception):
    """The instance is not what the plan was made from: it was replaced or purged."""


class InstanceExists(Exception):
    """An active instance has this id; the text is its status."""


@dataclass(frozen=True, slots=True)
class Start:
    """An instance to create."""

    id: str
    execution_id: str
    name: str
    version: str | None
    input: str | None
    created: int
    parent: Parent | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation for an entity; without `request` it is a signal.

    Attributes:
        input: the text that the entity's batch carries for it.
        caller, caller_execution: the orchestration that is answered.
    """

    entity: str
    name: str
    input: str | None
    caller: str | None = None
    caller_execution: str | None = None
    request: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A message for an instance, if it still runs this execution."""

    instance_id: str
    execution_id: str
    message: Message


@dataclass(slots=True)
class Commit:
    """Everything that one turn writes.

    Attributes:
        instance: as it is after the turn; its `turn` is the one the plan was made from.
        execution_id: the execution that the plan was made from; another than the instance's
            means that this turn begins the next generation.
        events, marks: the row to add to the history, or None.
        consumed: rows of the inbox that are used up.
        to_self: messages for the instance's own inbox.
        answer: what the parent is told at the end.
        replace_any_child: whether a child may replace an active instance.
    """

    instance: Instance
    execution_id: str
    updated: int
    events: str | None = None
    marks: str | None = None
    consumed: list[int] = field(default_factory=list)
    to_self: list[Message] = field(default_factory=list)
    children: list[Start] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    answer: Answer | None = None
    replace_any_child: bool = False


@dataclass(slots=True)
class Saved:
    """What came of a commit: rows that were made."""

    children: list[tuple[Start, int]] = field(default_factory=list)
    to_self: list[Message] = field(default_factory=list)
    answered: Message | None = None


def open_database(path: Path, faults: Faults | None = None) -> Database:
    """The task hub's file, opened."""
    schema = files("emulator.taskhub").joinpath("schema.sql").read_text(encoding="utf-8")
    database = Database(path, schema=schema, version=VERSION, name="taskhub", faults=faults)
    database.open()
    return database


def start_instance(db: sqlite3.Connection, start: Start, replace_any: bool) -> int:
    """Create an instance, replacing one that has ended.

    Args:
        replace_any: whether one that is active is replaced, too.
    Returns: its key.
    Raises:
        InstanceExists: an active instance has the id.
    """
    found = db.execute("SELECT key, status FROM instance WHERE id = ?", (start.id,)).fetchone()
    if found is not None:
        if found[1] not in TERMINAL and not replace_any:
            raise InstanceExists(found[1])
        delete_instance(db, found[0])
    parent = start.parent
    key = db.execute(
        "INSERT INTO instance (id, execution_id, name, version, parent_id, parent_execution,"
        " parent_task, status, created, updated, turn, started, open_work)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'Pending', ?, ?, 0, 0, 0)",
        (
            start.id,
            start.execution_id,
            start.name,
            start.version,
            parent.instance_id if parent else None,
            parent.execution_id if parent else None,
            parent.task_id if parent else None,
            start.created,
            start.created,
        ),
    ).lastrowid
    assert key is not None
    if start.input is not None:
        db.execute("INSERT INTO input VALUES (?, ?)", (key, start.input))
    return key


def delete_instance(db: sqlite3.Connection, key: int) -> None:
    """Remove an instance with everything that belongs to it."""
    db.execute("DELETE FROM history WHERE instance = ?", (key,))
    db.execute("DELETE FROM inbox WHERE instance = ?", (key,))
    db.execute("DELETE FROM input WHERE instance = ?", (key,))
    db.execute("DELETE FROM instance WHERE key = ?", (key,))


def save(db: sqlite3.Connection, commit: Commit) -> Saved:
    """Write one turn.

    Raises:
        Stale: the instance is not at the turn that the plan was made from.
    """
    instance = commit.instance
    _update(db, commit)
    if commit.events is not None:
        db.execute(
            "INSERT INTO history (instance, events, marks) VALUES (?, ?, ?)",
            (instance.key, commit.events, commit.marks),
        )
    consume(db, commit.consumed)
    if commit.execution_id != instance.execution_id:
        _renew(db, instance.key, instance.input)
    elif instance.status in (Status.COMPLETED, Status.TERMINATED):
        # A failed one keeps its messages: a rewind may need them.
        db.execute("DELETE FROM inbox WHERE instance = ?", (instance.key,))
    saved = Saved()
    for start in commit.children:
        try:
            saved.children.append((start, start_instance(db, start, commit.replace_any_child)))
        except InstanceExists as error:
            commit.to_self.append(_child_refused(start, commit.updated, str(error)))
    for message in commit.to_self:
        saved.to_self.append(add_message(db, instance.key, message))
    add_operations(db, commit.operations)
    if commit.answer is not None:
        saved.answered = answer(db, commit.answer)
    return saved


def _update(db: sqlite3.Connection, commit: Commit) -> None:
    instance = commit.instance
    changed = db.execute(
        "UPDATE instance SET status = ?, updated = ?, created = ?, turn = ?, started = ?,"
        " next_due = ?, open_work = ?, custom_status = ?, verdict = ?, output = ?,"
        " execution_id = ? WHERE key = ? AND execution_id = ? AND turn = ?",
        (
            instance.status,
            commit.updated,
            instance.created,
            instance.turn + 1,
            int(instance.is_started or commit.events is not None),
            instance.next_due(),
            instance.working,
            instance.custom_status,
            _encode_verdict(instance.verdict),
            instance.output,
            instance.execution_id,
            instance.key,
            commit.execution_id,
            instance.turn,
        ),
    ).rowcount
    if changed != 1:
        raise Stale(instance.id)


def _renew(db: sqlite3.Connection, key: int, input_text: str | None) -> None:
    """Clear the way for the next generation; external events stay."""
    db.execute("DELETE FROM history WHERE instance = ?", (key,))
    db.execute("DELETE FROM inbox WHERE instance = ? AND execution_id IS NOT NULL", (key,))
    db.execute("INSERT OR REPLACE INTO input VALUES (?, ?)", (key, input_text))


def _child_refused(start: Start, at: int, status: str) -> Message:
    assert start.parent is not None
    text = f"An Orchestration instance with the status {status} already exists."
    return Message(
        MessageKind.COMPLETION,
        at,
        events.child_failed(at, start.parent.task_id, text, None),
        start.parent.execution_id,
    )


def add_message(db: sqlite3.Connection, key: int, message: Message) -> Message:
    """Store a message; returns it as it is then, with its row.

    The message that was given stays as it was: the transaction may yet be undone.
    """
    body = None if message.event is None else encode_event(message.event)
    seq = db.execute(
        "INSERT INTO inbox (instance, execution_id, kind, at, event) VALUES (?, ?, ?, ?, ?)",
        (key, message.execution_id, message.kind, message.at, body),
    ).lastrowid
    return replace(message, seq=seq)


def encode_event(event: Event) -> str:
    """A message's event as it is stored."""
    return _dumps(event)


def answer(db: sqlite3.Connection, to: Answer) -> Message | None:
    """Store a message for an instance; None if nobody is to be woken for it.

    One that failed keeps it for a rewind; one that has ended otherwise, or that now runs another
    execution, never gets it.
    """
    found = db.execute(
        "SELECT key, status FROM instance WHERE id = ? AND execution_id = ?"
        " AND status NOT IN ('Completed', 'Terminated', 'Canceled')",
        (to.instance_id, to.execution_id),
    ).fetchone()
    if found is None:
        return None
    message = add_message(db, found[0], to.message)
    return None if found[1] == Status.FAILED else message


def consume(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Remove messages."""
    db.executemany("DELETE FROM inbox WHERE seq = ?", ((seq,) for seq in seqs))


def add_operations(db: sqlite3.Connection, operations: Sequence[Operation]) -> None:
    """Queue operations for entities."""
    db.executemany(
        "INSERT INTO operation (entity, name, input, caller, caller_execution, request)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            (op.entity, op.name, op.input, op.caller, op.caller_execution, op.request)
            for op in operations
        ),
    )


def load(db: sqlite3.Connection, instance_id: str) -> tuple[Instance, list[Message]] | None:
    """Read an instance and its inbox; None if there is no such instance."""
    # One statement after another on a reader sees one moment only inside a transaction.
    db.execute("BEGIN")
    try:
        row = db.execute(
            "SELECT key, id, execution_id, name, version, text, parent_id, parent_execution,"
            " parent_task, status, created, turn, custom_status, output, verdict"
            " FROM instance LEFT JOIN input ON input.instance = instance.key WHERE id = ?",
            (instance_id,),
        ).fetchone()
        if row is None:
            return None
        rows = db.execute(
            "SELECT events, marks FROM history WHERE instance = ? ORDER BY seq", (row[0],)
        ).fetchall()
        messages = read_inbox(db, row[0])
    finally:
        db.execute("COMMIT")
    instance = instance_of_row(row)
    fold(instance, rows)
    return instance, messages


def instance_of_row(row: Sequence[Any]) -> Instance:
    """An instance of a row as `load` selects it, its history not yet folded in."""
    key, id_, execution_id, name, version, text, *parent, status, created, turn = row[:12]
    custom_status, output, verdict = row[12:]
    return Instance(
        key,
        id_,
        execution_id,
        name,
        version,
        text,
        parent=None if parent[0] is None else Parent(*parent),
        status=Status(status),
        created=created,
        turn=turn,
        custom_status=custom_status,
        output=output,
        verdict=_decode_verdict(verdict),
    )


def read_inbox(db: sqlite3.Connection, key: int) -> list[Message]:
    """The stored messages of an instance, in order of arrival."""
    rows = db.execute(
        "SELECT kind, at, event, execution_id, seq FROM inbox WHERE instance = ? ORDER BY seq",
        (key,),
    ).fetchall()
    return [
        Message(MessageKind(kind), at, _event(body), execution_id, seq)
        for kind, at, body, execution_id, seq in rows
    ]


def _event(body: str | None) -> Event | None:
    if body is None:
        return None
    event: Event = json.loads(body)
    return event


def _encode_verdict(verdict: Verdict | None) -> str | None:
    if verdict is None:
        return None
    return _dumps([verdict.status, verdict.output, verdict.details, verdict.carried_input])


def _decode_verdict(text: str | None) -> Verdict | None:
    if text is None:
        return None
    status, *rest = json.loads(text)
    return Verdict(Status(status), *rest)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What must be taken up again at start.

    Attributes:
        ready: ids of instances that may have something to do at once.
        timers: (due, id) of instances that wait for a timer.
        entities: ids of entities with operations.
    """

    ready: list[str]
    timers: list[tuple[int, str]]
    entities: list[str]


def unfinished(db: sqlite3.Connection) -> Unfinished:
    """Find what a dead process left undone."""
    ready = db.execute(
        "SELECT id FROM instance"
        " WHERE status NOT IN ('Completed', 'Failed', 'Terminated', 'Canceled')"
        " AND (started = 0 OR open_work > 0 OR verdict IS NOT NULL"
        " OR key IN (SELECT instance FROM inbox)) ORDER BY key"
    ).fetchall()
    timers = db.execute(
        "SELECT next_due, id FROM instance WHERE next_due IS NOT NULL"
        " AND status NOT IN ('Completed', 'Failed', 'Terminated', 'Canceled')"
    ).fetchall()
    entities = db.execute("SELECT DISTINCT entity FROM operation").fetchall()
    return Unfinished([row[0] for row in ready], timers, [row[0] for row in entities])
