"""Keeps entities and their waiting operations in SQLite: pieces of transactions, as in `store`."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.taskhub.inbox import Message
from emulator.taskhub.store import Answer, Operation, answer


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity: `state` is the text that its function left, None while it does not exist."""

    id: str
    is_present: bool = False
    state: str | None = None


def read_batch(
    db: sqlite3.Connection, entity_id: str, limit: int
) -> tuple[Entity, list[Operation]]:
    """An entity and the operations that wait for it, in order of arrival."""
    row = db.execute("SELECT present, state FROM entity WHERE id = ?", (entity_id,)).fetchone()
    entity = Entity(entity_id) if row is None else Entity(entity_id, bool(row[0]), row[1])
    operations = db.execute(
        "SELECT entity, name, input, caller, caller_execution, request, seq FROM operation"
        " WHERE entity = ? ORDER BY seq LIMIT ?",
        (entity_id, limit),
    ).fetchall()
    return entity, [Operation(*operation) for operation in operations]


def save_batch(
    db: sqlite3.Connection,
    entity: Entity,
    operations: Sequence[Operation],
    answers: Sequence[Answer],
    now: int,
) -> list[tuple[str, Message]]:
    """Write what a batch did: the state, the answers, and that its operations are done.

    Returns: the answers that somebody still waits for, with the instance.
    """
    db.execute(
        "INSERT OR REPLACE INTO entity (id, present, state, last_operation) VALUES (?, ?, ?, ?)",
        (entity.id, int(entity.is_present), entity.state, now),
    )
    db.executemany("DELETE FROM operation WHERE seq = ?", ((op.seq,) for op in operations))
    sent = []
    for to in answers:
        message = answer(db, to)
        if message is not None:
            sent.append((to.instance_id, message))
    return sent


def find_entity(db: sqlite3.Connection, entity_id: str) -> Entity | None:
    """An entity that exists, or None."""
    row = db.execute(
        "SELECT present, state FROM entity WHERE id = ? AND present = 1", (entity_id,)
    ).fetchone()
    return None if row is None else Entity(entity_id, True, row[1])


def list_entities(
    db: sqlite3.Connection, prefix: str, after: str, limit: int, span: tuple[int, int]
) -> list[tuple[str, str | None, int]]:
    """Entities that exist, by id: id, state and time of the last operation.

    Args:
        prefix: what ids begin with.
        after: the id that the page before ended with.
        span: first and last time of the last operation, in microseconds.
    """
    return db.execute(
        "SELECT id, state, last_operation FROM entity WHERE present = 1 AND id > ?"
        " AND substr(id, 1, ?) = ? AND last_operation BETWEEN ? AND ? ORDER BY id LIMIT ?",
        (after, len(prefix), prefix, *span, limit),
    ).fetchall()


def delete_entity(db: sqlite3.Connection, entity_id: str) -> bool:
    """Remove an entity with what waits for it; False if there is none."""
    db.execute("DELETE FROM operation WHERE entity = ?", (entity_id,))
    return db.execute("DELETE FROM entity WHERE id = ?", (entity_id,)).rowcount > 0
