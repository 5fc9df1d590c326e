"""The rows behind the broker: plain functions that run in the writer's transaction, or a reader.

What a message is made of is in `content`; where it stands is in `message`. Called by `broker` and
`engine` only.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.servicebus.messages import OutgoingMessage, QueueSettings
from emulator.servicebus.model import Slot, State, to_us

SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
SCHEMA_VERSION = 1
_SEQUENCE_BITS = 40
_PROPERTIES = (
    "content_type",
    "subject",
    "correlation_id",
    "session_id",
    "to",
    "reply_to",
    "reply_to_session_id",
    "partition_key",
    "time_to_live_s",
)
# SQLite's own bound on parameters is far higher; this keeps one statement short.
_CHUNK = 500


@dataclass(frozen=True)
class Stored:
    """All of a message but its lock and its count of deliveries."""

    message_id: str
    body: bytes
    properties: dict[str, Any]
    enqueued_us: int
    expires_us: int | None
    scheduled_us: int | None
    reason: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Accepted:
    """What became of a message that was sent; a repeated one has no slot, for it was dropped."""

    sequence_number: int
    slot: Slot | None
    stored: Stored | None


def message_key(queue_number: int, sequence_number: int) -> int:
    """The id of a message's rows."""
    return queue_number << _SEQUENCE_BITS | sequence_number


def open_queue(connection: sqlite3.Connection, name: str) -> tuple[int, str]:
    """Create the queue if it is missing; its number, and its name as first written."""
    connection.execute("INSERT OR IGNORE INTO queue (name) VALUES (?)", (name,))
    number, stored_name = connection.execute(
        "SELECT number, name FROM queue WHERE name = ?", (name,)
    ).fetchone()
    return number, stored_name


def queue_names(connection: sqlite3.Connection) -> list[str]:
    """Every queue that was ever opened."""
    return [name for (name,) in connection.execute("SELECT name FROM queue ORDER BY number")]


def load_slots(connection: sqlite3.Connection, number: int, is_dead_letter: bool) -> list[Slot]:
    """What is in a queue, for the model to take in after a start."""
    rows = connection.execute(
        "SELECT id, delivery_count, expires_us, scheduled_us, session_id, state FROM message "
        "WHERE id BETWEEN ? AND ? AND is_dead_letter = ? ORDER BY id",
        (message_key(number, 0), message_key(number + 1, 0) - 1, is_dead_letter),
    )
    return [
        Slot(
            sequence_number=key - message_key(number, 0),
            delivery_count=count,
            expires_us=expires_us,
            scheduled_us=scheduled_us,
            session_id=session_id,
            state=State(state),
        )
        for key, count, expires_us, scheduled_us, session_id, state in rows
    ]


def append(
    connection: sqlite3.Connection,
    number: int,
    settings: QueueSettings,
    messages: Sequence[OutgoingMessage],
    now_us: int,
) -> list[Accepted]:
    """Put messages at the end of a queue; repeated ones are accepted and dropped."""
    (last,) = connection.execute(
        "SELECT last_sequence_number FROM queue WHERE number = ?", (number,)
    ).fetchone()
    connection.execute("DELETE FROM history WHERE until_us <= ?", (now_us,))
    accepted: list[Accepted] = []
    for message in messages:
        message_id = message.message_id or uuid.uuid4().hex
        earlier = None
        if settings.requires_duplicate_detection:
            until_us = now_us + int(settings.duplicate_window_s * 1e6)
            earlier = _remember(connection, number, message_id, last + 1, until_us)
        if earlier is not None:
            accepted.append(Accepted(earlier, None, None))
            continue
        last += 1
        rows = _rows(message, message_id, settings, now_us)
        accepted.append(_insert(connection, number, last, rows))
    connection.execute("UPDATE queue SET last_sequence_number = ? WHERE number = ?", (last, number))
    return accepted


def _remember(
    connection: sqlite3.Connection, number: int, message_id: str, sequence: int, until_us: int
) -> int | None:
    """Note a message id; the sequence number it already stands for, if it is remembered."""
    row = connection.execute(
        "SELECT sequence_number FROM history WHERE queue = ? AND message_id = ?",
        (number, message_id),
    ).fetchone()
    if row is not None:
        return int(row[0])
    connection.execute(
        "INSERT INTO history VALUES (?, ?, ?, ?)", (number, message_id, sequence, until_us)
    )
    return None


def _rows(
    message: OutgoingMessage, message_id: str, settings: QueueSettings, now_us: int
) -> tuple[Slot, Stored]:
    """What is kept of a message; its slot has no number yet."""
    due = message.scheduled_enqueue_time
    scheduled_us = None if due is None or to_us(due) <= now_us else to_us(due)
    ttls_s = [ttl for ttl in (message.time_to_live_s, settings.default_ttl_s) if ttl is not None]
    expires_us = (scheduled_us or now_us) + int(min(ttls_s) * 1e6) if ttls_s else None
    session_id = (message.session_id or "") if settings.requires_session else ""
    state = State.ACTIVE if scheduled_us is None else State.SCHEDULED
    properties = {
        name: value for name in _PROPERTIES if (value := getattr(message, name)) is not None
    }
    if message.application_properties:
        properties["application_properties"] = dict(message.application_properties)
    return (
        Slot(0, 0, expires_us, scheduled_us, session_id, state),
        Stored(message_id, message.body, properties, now_us, expires_us, scheduled_us),
    )


def _insert(
    connection: sqlite3.Connection, number: int, sequence: int, rows: tuple[Slot, Stored]
) -> Accepted:
    slot, stored = rows
    slot.sequence_number = sequence
    key = message_key(number, sequence)
    connection.execute(
        "INSERT INTO message (id, state, enqueued_us, expires_us, scheduled_us, session_id) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            key,
            slot.state.value,
            stored.enqueued_us,
            slot.expires_us,
            slot.scheduled_us,
            slot.session_id,
        ),
    )
    connection.execute(
        "INSERT INTO content VALUES (?, ?, ?, ?)",
        (key, stored.message_id, stored.body, json.dumps(stored.properties)),
    )
    return Accepted(sequence, slot, stored)


def record_deliveries(connection: sqlite3.Connection, counts: Iterable[tuple[int, int]]) -> None:
    """Set the delivery counts of messages: pairs of count and id."""
    connection.executemany("UPDATE message SET delivery_count = ? WHERE id = ?", counts)


def activate(connection: sqlite3.Connection, keys: Iterable[int], now_us: int) -> None:
    """Scheduled messages that came due are enqueued now."""
    connection.executemany(
        "UPDATE message SET state = 0, enqueued_us = ? WHERE id = ?",
        [(now_us, key) for key in keys],
    )


def set_deferred(connection: sqlite3.Connection, key: int) -> None:
    """Set a message aside."""
    connection.execute("UPDATE message SET state = ? WHERE id = ?", (State.DEFERRED.value, key))


def delete(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Take messages off the disk."""
    rows = [(key,) for key in keys]
    connection.executemany("DELETE FROM message WHERE id = ?", rows)
    connection.executemany("DELETE FROM content WHERE id = ?", rows)


def move_to_dead_letter(
    connection: sqlite3.Connection, keys: Iterable[int], reason: str | None, description: str | None
) -> None:
    """Move messages to the queue's dead-letter queue, where nothing expires."""
    connection.executemany(
        "UPDATE message SET is_dead_letter = 1, state = 0, expires_us = NULL, reason = ?, "
        "description = ? WHERE id = ?",
        [(reason, description, key) for key in keys],
    )


_SELECT = (
    "SELECT message.id, message_id, body, properties, enqueued_us, expires_us, scheduled_us, "
    "reason, description FROM message JOIN content USING (id) "
)


def read_messages(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Stored]:
    """Messages by their ids; one that is gone is missing from the result."""
    found: dict[int, Stored] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(f"{_SELECT} WHERE message.id IN ({marks})", chunk)
        found.update((row[0], _stored(row)) for row in rows)
    return found


def browse(
    connection: sqlite3.Connection,
    number: int,
    is_dead_letter: bool,
    from_sequence: int,
    count: int,
) -> list[tuple[int, int, int, Stored]]:
    """Messages in order, locked ones too: sequence number, delivery count, state, the message."""
    first = message_key(number, 0)
    keys = connection.execute(
        "SELECT id, delivery_count, state FROM message WHERE id BETWEEN ? AND ? "
        "AND is_dead_letter = ? ORDER BY id LIMIT ?",
        (first + max(from_sequence, 0), message_key(number + 1, 0) - 1, is_dead_letter, count),
    ).fetchall()
    found = read_messages(connection, [key for key, _, _ in keys])
    return [
        (key - first, deliveries, state, found[key])
        for key, deliveries, state in keys
        if key in found
    ]


def _stored(row: tuple[Any, ...]) -> Stored:
    _, message_id, body, properties, *rest = row
    return Stored(message_id, bytes(body), json.loads(properties), *rest)
