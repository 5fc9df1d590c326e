"""Items in a container's table: create, upsert, replace, delete, read.

Each change runs within the one writer's transaction, with the log sequence number that the
transaction got; a batch hands the same number to all of its operations. Preconditions are checked
beside the change, so nothing can come between. Wire and paging are elsewhere.

Source: specification, sections 6.5 and 9.2.
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from emulator.cosmos.errors import (
    OWNER_NOT_FOUND,
    CosmosError,
    bad_request,
    conflict,
    not_found,
    partition_key_mismatch,
    precondition_failed,
    too_large,
    unique_key_conflict,
)
from emulator.cosmos.model import (
    MAX_BODY_BYTES,
    SEQ_SHIFT,
    Container,
    check_id,
    etag_of,
    item_text,
    seq_of_rid,
)


@dataclass(frozen=True, slots=True)
class Row:
    """An item as it is stored."""

    seq: int
    lsn: int
    ts: int
    body: str

    @property
    def etag(self) -> str:
        return etag_of(self.lsn, self.ts)

    def text(self, container: Container) -> str:
        """The item's JSON with its system properties."""
        return self.body[:-1] + container.system_text(self.seq, self.lsn, self.ts)


@dataclass(frozen=True, slots=True)
class Moment:
    """What the operations of one transaction share, and an operation's place among them."""

    lsn: int
    ts: int
    index: int = 0

    @property
    def seq(self) -> int:
        """The number of an item that is made now; never used twice."""
        return (self.lsn << SEQ_SHIFT) + self.index


@dataclass(frozen=True, slots=True)
class Target:
    """Which item is meant, and what is known about it."""

    id: str
    epk: str
    may_be_rid: bool = False
    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class NewItem:
    """A checked body, ready to be stored."""

    id: str
    body: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)


def new_item(container: Container, body: Any, epk: str) -> NewItem:
    """Check a body against the container and the key of its request.

    Raises:
        CosmosError: 400 where it is no object or its id is not one; 400/1001 where the key
            differs; 413 where it is over two MiB.
    """
    if not isinstance(body, dict):
        raise bad_request("The input content is invalid because it is not a JSON object.")
    if "id" not in body:
        raise bad_request(
            "The input content is invalid because the required properties - 'id; ' - are missing"
        )
    name = check_id(body["id"], 1024)
    if container.partition_key.of_item(body) != epk:
        raise partition_key_mismatch()
    return NewItem(name, body, checked_text(body))


def checked_text(body: dict[str, Any]) -> str:
    """The text in which a body is stored.

    Raises:
        CosmosError: 413 where it is over two MiB.
    """
    text = item_text(body)
    if len(text) * 4 > MAX_BODY_BYTES and len(text.encode()) > MAX_BODY_BYTES:
        raise too_large()
    return text


def next_lsn(connection: sqlite3.Connection, container: Container) -> int:
    """Take the next log sequence number of a container.

    Raises:
        CosmosError: 404/1003 where the container was deleted meanwhile.
    """
    rows = connection.execute(
        "UPDATE positions SET lsn = lsn + 1 WHERE container = ? RETURNING lsn", (container.num,)
    ).fetchall()
    if not rows:
        raise not_found(OWNER_NOT_FOUND)
    return int(rows[0][0])


def find(
    connection: sqlite3.Connection, container: Container, target: Target, now: int
) -> Row | None:
    """The item that is meant, or None where there is none or its time is over."""
    row = connection.execute(
        f"SELECT seq, lsn, ts, body, exp FROM {container.table} WHERE id = ? AND epk = ?",
        (target.id, target.epk),
    ).fetchone()
    if row is None and target.may_be_rid:
        seq = seq_of_rid(container.bytes, target.id)
        row = connection.execute(
            f"SELECT seq, lsn, ts, body, exp FROM {container.table} WHERE seq = ? AND epk = ?",
            (seq, target.epk),
        ).fetchone()
    if row is None or (row[4] is not None and row[4] <= now):
        return None
    return Row(*row[:4])


def existing(connection: sqlite3.Connection, container: Container, target: Target, now: int) -> Row:
    """The item that is meant, after its preconditions.

    Raises:
        CosmosError: 404 where it is missing, 412 where a precondition does not hold.
    """
    row = find(connection, container, target, now)
    if row is None:
        raise not_found()
    check_preconditions(row, target)
    return row


def read(connection: sqlite3.Connection, container: Container, target: Target, now: int) -> Row:
    """The item that is meant.

    Raises:
        CosmosError: 404 where it is missing, 304 where the caller has this version.
    """
    row = find(connection, container, target, now)
    if row is None:
        raise not_found()
    if target.if_none_match in ("*", row.etag):
        raise CosmosError(304, "", headers={"etag": row.etag})
    return row


def check_preconditions(row: Row, target: Target) -> None:
    """Raise 412 unless If-Match and If-None-Match allow a change to this version."""
    if target.if_match is not None and target.if_match not in ("*", row.etag):
        raise precondition_failed()
    if target.if_none_match is not None and target.if_none_match in ("*", row.etag):
        raise precondition_failed()


def create(
    connection: sqlite3.Connection,
    container: Container,
    item: NewItem,
    epk: str,
    moment: Moment,
) -> Row:
    """Store a new item.

    Raises:
        CosmosError: 409 where the id, or a unique key, is taken.
    """
    _drop_expired(connection, container, item.id, epk, moment.ts)
    exp = container.expiry(item.body, moment.ts)
    _guarded(
        connection,
        container,
        moment.ts,
        f"INSERT INTO {container.table} (seq, epk, id, lsn, ts, exp, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (moment.seq, epk, item.id, moment.lsn, moment.ts, exp, item.text),
    )
    return Row(moment.seq, moment.lsn, moment.ts, item.text)


def upsert(
    connection: sqlite3.Connection,
    container: Container,
    item: NewItem,
    target: Target,
    moment: Moment,
) -> tuple[Row, bool]:
    """Store an item, whether it exists or not; also say whether it is new.

    Raises:
        CosmosError: 412 where it exists and a precondition does not hold; 409 for a unique key.
    """
    _drop_expired(connection, container, item.id, target.epk, moment.ts)
    if target.if_match is not None or target.if_none_match is not None:
        row = find(connection, container, target, moment.ts)
        if row is not None:
            check_preconditions(row, target)
    exp = container.expiry(item.body, moment.ts)
    fresh = moment.seq
    seq = _guarded(
        connection,
        container,
        moment.ts,
        f"INSERT INTO {container.table} (seq, epk, id, lsn, ts, exp, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, epk) DO UPDATE SET lsn = excluded.lsn, "
        "ts = excluded.ts, exp = excluded.exp, body = excluded.body RETURNING seq",
        (fresh, target.epk, item.id, moment.lsn, moment.ts, exp, item.text),
    )[0][0]
    return Row(seq, moment.lsn, moment.ts, item.text), seq == fresh


def replace(
    connection: sqlite3.Connection,
    container: Container,
    item: NewItem,
    row: Row,
    moment: Moment,
) -> Row:
    """Store a new body for an item that was found; its id may change.

    Raises:
        CosmosError: 409 where the new id, or a unique key, is taken.
    """
    exp = container.expiry(item.body, moment.ts)
    _guarded(
        connection,
        container,
        moment.ts,
        f"UPDATE {container.table} SET id = ?, lsn = ?, ts = ?, exp = ?, body = ? WHERE seq = ?",
        (item.id, moment.lsn, moment.ts, exp, item.text, row.seq),
    )
    return Row(row.seq, moment.lsn, moment.ts, item.text)


def delete(connection: sqlite3.Connection, container: Container, row: Row) -> None:
    """Delete an item that was found."""
    connection.execute(f"DELETE FROM {container.table} WHERE seq = ?", (row.seq,))


def purge_expired(connection: sqlite3.Connection, container: Container, now: int) -> int:
    """Delete some of the items whose time is over; returns how many."""
    return connection.execute(
        f"DELETE FROM {container.table} WHERE seq IN "
        f"(SELECT seq FROM {container.table} WHERE exp <= ? LIMIT 500)",
        (now,),
    ).rowcount


def _drop_expired(
    connection: sqlite3.Connection, container: Container, name: str, epk: str, now: int
) -> None:
    """An expired item is not there; a new one of its id is another item."""
    if container.default_ttl is not None:
        connection.execute(
            f"DELETE FROM {container.table} WHERE id = ? AND epk = ? AND exp <= ?",
            (name, epk, now),
        )


def _guarded(
    connection: sqlite3.Connection,
    container: Container,
    now: int,
    statement: str,
    values: tuple[Any, ...],
) -> list[Any]:
    """Run a change that can hit a unique index, which an expired item must not hold."""
    try:
        return connection.execute(statement, values).fetchall()
    except sqlite3.IntegrityError as error:
        expired = connection.execute(
            f"DELETE FROM {container.table} WHERE exp <= ?", (now,)
        ).rowcount
        if expired:
            return _guarded(connection, container, now, statement, values)
        raise _taken(error) from None


def _taken(error: sqlite3.IntegrityError) -> CosmosError:
    return unique_key_conflict() if "index '" in str(error) else conflict()
