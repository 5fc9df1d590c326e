"""The rows behind the queues: plain functions that run in a transaction, or a reader."""

import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emulator.storagequeue.errors import MessageNotFound, QueueNotFound
from emulator.storagequeue.model import Message

SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
SCHEMA_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = "queue, id, body, dequeue_count, pop_receipt, inserted_us, expires_us, visible_us"


def to_us(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def open_queue(connection: sqlite3.Connection, name: str) -> None:
    """Make a queue where there is none of that name."""
    connection.execute("INSERT OR IGNORE INTO queue VALUES (?)", (name,))


def release_all(connection: sqlite3.Connection, now_us: int) -> None:
    """Show again what was hidden for somebody who is gone."""
    connection.execute("UPDATE message SET held = 0, visible_us = ? WHERE held", (now_us,))


def put(
    connection: sqlite3.Connection, queue: str, bodies: list[bytes], now_us: int, expires_us: int
) -> None:
    """Put messages at the end of a queue; raises QueueNotFound."""
    if connection.execute("SELECT 1 FROM queue WHERE name = ?", (queue,)).fetchone() is None:
        raise QueueNotFound(queue)
    connection.executemany(
        "INSERT INTO message (queue, id, body, inserted_us, expires_us, visible_us, pop_receipt) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (queue, str(uuid.uuid4()), body, now_us, expires_us, now_us, str(uuid.uuid4()))
            for body in bodies
        ],
    )


def take(
    connection: sqlite3.Connection, queue: str, count: int, now_us: int, until_us: int
) -> list[Message]:
    """Dequeue the first visible messages and hide them; what has expired is deleted."""
    connection.execute(
        "DELETE FROM message WHERE queue = ? AND expires_us <= ? AND NOT held", (queue, now_us)
    )
    rows = connection.execute(
        "SELECT number FROM message WHERE queue = ? AND visible_us <= ? ORDER BY number LIMIT ?",
        (queue, now_us, count),
    ).fetchall()
    found: list[Message] = []
    for (number,) in rows:
        row = connection.execute(
            "UPDATE message SET held = 1, visible_us = ?, dequeue_count = dequeue_count + 1, "  # noqa: S608 - fixed names
            f"pop_receipt = ? WHERE number = ? RETURNING {_COLUMNS}",
            (until_us, str(uuid.uuid4()), number),
        ).fetchone()
        found.append(_message(row))
    return found


def show(connection: sqlite3.Connection, message: Message, visible_us: int, *, held: bool) -> None:
    """Say when a dequeued message is visible again; raises MessageNotFound."""
    changed = connection.execute(
        "UPDATE message SET visible_us = ?, held = ? WHERE id = ? AND pop_receipt = ?",
        (visible_us, held, message.id, message.pop_receipt),
    )
    if changed.rowcount == 0:
        raise MessageNotFound(message.id)


def delete(connection: sqlite3.Connection, message: Message) -> None:
    """Delete a dequeued message; raises MessageNotFound."""
    deleted = connection.execute(
        "DELETE FROM message WHERE id = ? AND pop_receipt = ?", (message.id, message.pop_receipt)
    )
    if deleted.rowcount == 0:
        raise MessageNotFound(message.id)


def move(
    connection: sqlite3.Connection, message: Message, queue: str, now_us: int, expires_us: int
) -> None:
    """Put a dequeued message at the end of another queue; raises MessageNotFound."""
    delete(connection, message)
    open_queue(connection, queue)
    put(connection, queue, [message.body], now_us, expires_us)


def next_visible_us(connection: sqlite3.Connection, queue: str) -> int | None:
    """When the next hidden message shows, or None."""
    row = connection.execute(
        "SELECT MIN(visible_us) FROM message WHERE queue = ?", (queue,)
    ).fetchone()
    return None if row[0] is None else int(row[0])


def list_messages(connection: sqlite3.Connection, queue: str, limit: int) -> list[Message]:
    """The first messages of a queue, hidden ones too, without dequeuing them."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM message WHERE queue = ? ORDER BY number LIMIT ?",  # noqa: S608 - fixed names
        (queue, limit),
    )
    return [_message(row) for row in rows]


def count_messages(connection: sqlite3.Connection) -> list[tuple[str, int, int]]:
    """Every queue with how many messages it has, and how many of them are somebody's."""
    return connection.execute(
        "SELECT queue.name, COUNT(message.number), COALESCE(SUM(message.held), 0) FROM queue "
        "LEFT JOIN message ON message.queue = queue.name GROUP BY queue.name ORDER BY queue.name"
    ).fetchall()


def _message(row: tuple[str, str, bytes, int, str, int, int, int]) -> Message:
    queue, identity, body, dequeue_count, pop_receipt, *instants = row
    inserted, expires, visible = (_EPOCH + us * _MICROSECOND for us in instants)
    return Message(
        queue, identity, body, dequeue_count, pop_receipt, inserted, expires, next_visible=visible
    )
