"""The rows behind the blob service: plain functions that run in a transaction, or a reader."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.blob.errors import (
    BlobNotFound,
    ContainerAlreadyExists,
    ContainerNotFound,
    InvalidBlockList,
)
from emulator.blob.model import Blob, Conditions, Properties

SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
SCHEMA_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
COLUMNS = "container, name, file, size, md5, etag, created_us, modified_us, properties"


@dataclass(frozen=True)
class Block:
    """An uploaded block that is not yet part of a blob."""

    id: str
    file: str
    size: int


@dataclass(frozen=True)
class Pending:
    """An event that is to be delivered."""

    number: int
    subscription: str
    event: dict[str, Any]
    attempts: int


def to_us(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_us(instant_us: int) -> datetime:
    """The instant, in UTC."""
    return _EPOCH + instant_us * _MICROSECOND


def create_container(connection: sqlite3.Connection, name: str, etag: str, now: datetime) -> None:
    """Make a container; raises ContainerAlreadyExists."""
    made = connection.execute(
        "INSERT OR IGNORE INTO container VALUES (?, ?, ?)", (name, etag, to_us(now))
    )
    if made.rowcount == 0:
        raise ContainerAlreadyExists


def find_container(connection: sqlite3.Connection, name: str) -> tuple[str, datetime]:
    """A container's etag and when it was made; raises ContainerNotFound."""
    row = connection.execute(
        "SELECT etag, modified_us FROM container WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise ContainerNotFound
    return row[0], from_us(row[1])


def list_containers(connection: sqlite3.Connection, prefix: str) -> list[tuple[str, str, datetime]]:
    """Containers with their etags and when they were made."""
    rows = connection.execute("SELECT name, etag, modified_us FROM container ORDER BY name")
    return [(name, etag, from_us(us)) for name, etag, us in rows if name.startswith(prefix)]


def delete_container(connection: sqlite3.Connection, name: str) -> list[str]:
    """Delete a container with all that is in it; the files of its contents."""
    find_container(connection, name)
    files = [
        file
        for table in ("blob", "block")
        for (file,) in connection.execute(
            f"SELECT file FROM {table} WHERE container = ?",  # noqa: S608 - fixed names
            (name,),
        )
    ]
    for table, column in (
        *(("container", "name"), ("blob", "container"), ("block", "container")),
        ("receipt", "container"),
    ):
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608 - fixed names
    return files


def find_blob(connection: sqlite3.Connection, container: str, name: str) -> Blob:
    """A blob; raises ContainerNotFound, BlobNotFound."""
    find_container(connection, container)
    row = connection.execute(
        f"SELECT {COLUMNS} FROM blob WHERE container = ? AND name = ?",  # noqa: S608 - fixed names
        (container, name),
    ).fetchone()
    if row is None:
        raise BlobNotFound
    return blob_of(row)


def _existing(connection: sqlite3.Connection, container: str, name: str) -> Blob | None:
    try:
        return find_blob(connection, container, name)
    except BlobNotFound:
        return None


def put_blob(
    connection: sqlite3.Connection,
    blob: Blob,
    conditions: Conditions,
    events: Callable[[Blob, int], Sequence[tuple[str, dict[str, Any]]]],
) -> tuple[Blob, list[str]]:
    """Let a blob be, in place of the one of its name, and note its events.

    Args:
        events: from the blob and a rising number, pairs of a subscription and the event.
    Returns: the blob as it is now, and the files that no row names any more.
    """
    old = _existing(connection, blob.container, blob.name)
    conditions.check_write(None if old is None else old.etag)
    created = blob.created if old is None else old.created
    connection.execute(
        f"INSERT OR REPLACE INTO blob ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - fixed names
        (
            blob.container,
            blob.name,
            blob.file,
            blob.size,
            blob.md5,
            blob.etag,
            to_us(created),
            to_us(blob.modified),
            json.dumps(asdict(blob.properties)),
        ),
    )
    unused = [] if old is None else [old.file]
    unused += [block.file for block in find_blocks(connection, blob.container, blob.name)]
    connection.execute(
        "DELETE FROM block WHERE container = ? AND name = ?", (blob.container, blob.name)
    )
    (last,) = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence").fetchone()
    connection.executemany(
        "INSERT INTO event (subscription, event, due_us) VALUES (?, ?, ?)",
        [
            (subscription, json.dumps(event), to_us(blob.modified))
            for subscription, event in events(blob, last + 1)
        ],
    )
    return find_blob(connection, blob.container, blob.name), unused


def delete_blob(
    connection: sqlite3.Connection, container: str, name: str, conditions: Conditions
) -> list[str]:
    """Delete a blob; the files of its content."""
    blob = find_blob(connection, container, name)
    conditions.check_write(blob.etag)
    for table in ("blob", "receipt"):
        connection.execute(
            f"DELETE FROM {table} WHERE container = ? AND name = ?",  # noqa: S608 - fixed names
            (container, name),
        )
    return [blob.file]


def list_blobs(
    connection: sqlite3.Connection, container: str, prefix: str, after: str, limit: int
) -> list[Blob]:
    """Blobs whose names begin with a prefix and come after a name, in order."""
    find_container(connection, container)
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM blob WHERE container = ? AND name > ? "  # noqa: S608 - fixed names
        "AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
        (container, after, len(prefix), prefix, limit),
    )
    return [blob_of(row) for row in rows]


def put_block(connection: sqlite3.Connection, container: str, name: str, block: Block) -> list[str]:
    """Keep a block; the file of the one it takes the place of."""
    find_container(connection, container)
    old = [each.file for each in find_blocks(connection, container, name) if each.id == block.id]
    connection.execute(
        "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?)",
        (container, name, block.id, block.file, block.size),
    )
    return old


def find_blocks(connection: sqlite3.Connection, container: str, name: str) -> list[Block]:
    """Blocks that were uploaded for a blob and are not part of it."""
    rows = connection.execute(
        "SELECT id, file, size FROM block WHERE container = ? AND name = ?", (container, name)
    )
    return [Block(*row) for row in rows]


def chosen_blocks(
    connection: sqlite3.Connection, container: str, name: str, ids: Sequence[str]
) -> list[Block]:
    """The blocks of a list, in its order; raises InvalidBlockList."""
    find_container(connection, container)
    known = {block.id: block for block in find_blocks(connection, container, name)}
    try:
        return [known[each] for each in ids]
    except KeyError:
        raise InvalidBlockList from None


def named_files(connection: sqlite3.Connection) -> set[str]:
    """Every file that a row names."""
    rows = connection.execute("SELECT file FROM blob UNION SELECT file FROM block")
    return {file for (file,) in rows}


def due_events(connection: sqlite3.Connection, now_us: int, limit: int) -> list[Pending]:
    """Events that are to be delivered now, oldest first."""
    rows = connection.execute(
        "SELECT number, subscription, event, attempts FROM event WHERE due_us <= ? "
        "ORDER BY number LIMIT ?",
        (now_us, limit),
    )
    return [
        Pending(number, subscription, json.loads(text), attempts)
        for number, subscription, text, attempts in rows
    ]


def next_due_us(connection: sqlite3.Connection) -> int | None:
    """When the next event is to be delivered."""
    row = connection.execute("SELECT MIN(due_us) FROM event").fetchone()
    return None if row[0] is None else int(row[0])


def delivered(connection: sqlite3.Connection, number: int) -> None:
    """Forget an event."""
    connection.execute("DELETE FROM event WHERE number = ?", (number,))


def postpone(connection: sqlite3.Connection, number: int, due_us: int) -> None:
    """Try an event again later."""
    connection.execute(
        "UPDATE event SET attempts = attempts + 1, due_us = ? WHERE number = ?", (due_us, number)
    )


def blob_of(row: Sequence[Any]) -> Blob:
    """The blob of a row of `COLUMNS`."""
    container, name, file, size, md5, etag, created_us, modified_us, properties = row
    return Blob(
        container,
        name,
        file,
        size,
        md5,
        etag,
        from_us(created_us),
        from_us(modified_us),
        Properties(**json.loads(properties)),
    )
