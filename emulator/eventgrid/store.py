"""The rows behind the sink: plain functions that run in the writer's transaction, or a reader."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.eventgrid.model import PublishedEvent, Schema, event_type

SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
SCHEMA_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Query:
    """Which events are asked for; what is None does not filter.

    Attributes:
        since: received at this instant or later.
        after: the sequence number behind which the listing starts (before it, if `is_latest`).
        is_latest: newest first.
    """

    topic: str | None = None
    event_type: str | None = None
    subject: str | None = None
    since: datetime | None = None
    after: int | None = None
    limit: int = 100
    is_latest: bool = False


def append(
    connection: sqlite3.Connection,
    topic: str,
    schema: Schema,
    events: Sequence[dict[str, Any]],
    *,
    now: datetime,
    wanted: Callable[[str, str], Sequence[str]] = lambda _type, _subject: (),
) -> list[int]:
    """Put events at the end of the list, and note who is to be given them.

    Args:
        wanted: from an event's type and subject, the names of subscriptions.
    Returns: their sequence numbers.
    """
    numbers: list[int] = []
    now_us = to_us(now)
    for event in events:
        kind, subject = event_type(event, schema), str(event.get("subject") or "")
        cursor = connection.execute(
            "INSERT INTO event (topic, schema, received_us, type, subject, event) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                topic,
                schema,
                now_us,
                kind,
                subject,
                json.dumps(event, ensure_ascii=False),
            ),
        )
        number = int(cursor.lastrowid or 0)
        numbers.append(number)
        connection.executemany(
            "INSERT INTO delivery (subscription, sequence, due_us) VALUES (?, ?, ?)",
            [(name, number, now_us) for name in wanted(kind, subject)],
        )
    return numbers


def select(connection: sqlite3.Connection, query: Query) -> list[PublishedEvent]:
    """The events that a query asks for, at most its limit."""
    where, values = _where(query)
    rows = connection.execute(
        f"SELECT sequence, topic, schema, received_us, event FROM event {where} "  # noqa: S608 - fixed texts
        f"ORDER BY sequence {'DESC' if query.is_latest else 'ASC'} LIMIT ?",
        [*values, query.limit],
    )
    return [published(row) for row in rows]


def published(row: Sequence[Any]) -> PublishedEvent:
    """The event of a row: sequence, topic, schema, when it was received, JSON."""
    sequence, topic, schema, received_us, text = row
    return PublishedEvent(
        sequence, topic, schema, _EPOCH + received_us * _MICROSECOND, json.loads(text)
    )


def to_us(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def count(connection: sqlite3.Connection, query: Query) -> int:
    """How many events a query asks for, whatever its limit and cursor."""
    where, values = _where(query, with_cursor=False)
    row = connection.execute(f"SELECT COUNT(*) FROM event {where}", values)  # noqa: S608 - fixed texts
    return int(row.fetchone()[0])


def _where(query: Query, *, with_cursor: bool = True) -> tuple[str, list[Any]]:
    since_us = None if query.since is None else to_us(query.since)
    conditions: list[tuple[str, Any]] = [
        ("topic = ?", query.topic),
        ("type = ?", query.event_type),
        ("subject = ?", query.subject),
        ("received_us >= ?", since_us),
    ]
    if with_cursor:
        conditions.append((f"sequence {'<' if query.is_latest else '>'} ?", query.after))
    wanted = [(text, value) for text, value in conditions if value is not None]
    if not wanted:
        return "", []
    return "WHERE " + " AND ".join(text for text, _ in wanted), [value for _, value in wanted]
