"""Databases, containers and offers in SQLite, and the table of each container.

Answers what exists and changes it; every function takes the connection that a transaction is open
on (or a reader's) and decides nothing about the wire. Items are in `items`, queries in `query`.

Source: specification, sections 6.2, 6.3, 6.6 and 8.4 (the shape of a container's table).
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.cosmos.definition import definition_text
from emulator.cosmos.errors import conflict, not_found
from emulator.cosmos.indexes import create_declared_indexes
from emulator.cosmos.model import Container, Database
from emulator.cosmos.values import dump

SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Offer:
    """The throughput of a database or container: stored, without effect."""

    num: int
    resource: str
    resource_rid: str
    content: dict[str, Any]
    ts: int


def load(connection: sqlite3.Connection) -> tuple[list[Database], list[tuple[Container, int]]]:
    """All databases, and all containers with the LSN of their last change."""
    databases = {
        num: Database(num, name, ts)
        for num, name, ts in connection.execute("SELECT num, id, ts FROM databases ORDER BY num")
    }
    rows = connection.execute(
        "SELECT c.num, c.database, c.definition, c.ts, p.lsn FROM containers AS c "
        "JOIN positions AS p ON p.container = c.num ORDER BY c.num"
    )
    containers = [
        (Container(num, databases[database], json.loads(definition), ts), lsn)
        for num, database, definition, ts, lsn in rows
    ]
    return list(databases.values()), containers


def create_database(connection: sqlite3.Connection, name: str, ts: int) -> Database:
    """Make a database.

    Raises:
        CosmosError: 409 where the id is taken.
    """
    try:
        [(num,)] = connection.execute(
            "INSERT INTO databases (id, ts) VALUES (?, ?) RETURNING num", (name, ts)
        ).fetchall()
    except sqlite3.IntegrityError:
        raise conflict() from None
    return Database(num, name, ts)


def delete_database(connection: sqlite3.Connection, database: Database) -> None:
    """Delete a database with its containers.

    Raises:
        CosmosError: 404 where it is gone.
    """
    nums = connection.execute(
        "SELECT num FROM containers WHERE database = ?", (database.num,)
    ).fetchall()
    for (num,) in nums:
        _drop(connection, num)
    deleted = connection.execute("DELETE FROM databases WHERE num = ?", (database.num,))
    if deleted.rowcount != 1:
        raise not_found()
    connection.execute("DELETE FROM offers WHERE resource LIKE ?", (f"dbs/{database.rid}/%",))


def create_container(
    connection: sqlite3.Connection, database: Database, definition: dict[str, Any], ts: int
) -> Container:
    """Make a container, its table and its indexes.

    Raises:
        CosmosError: 409 where the id is taken, 404 where the database is gone.
    """
    try:
        [(num,)] = connection.execute(
            "INSERT INTO containers (database, id, ts, definition) VALUES (?, ?, ?, ?) "
            "RETURNING num",
            (database.num, definition["id"], ts, definition_text(definition)),
        ).fetchall()
    except sqlite3.IntegrityError as error:
        raise not_found() if "FOREIGN KEY" in str(error) else conflict() from None
    container = Container(num, database, definition, ts)
    connection.execute("INSERT INTO positions (container, lsn) VALUES (?, 0)", (num,))
    table = container.table
    connection.execute(
        f"CREATE TABLE {table} (seq INTEGER PRIMARY KEY, epk TEXT NOT NULL, id TEXT NOT NULL, "
        "lsn INTEGER NOT NULL, ts INTEGER NOT NULL, exp INTEGER, body TEXT NOT NULL, "
        "UNIQUE (id, epk))"
    )
    connection.execute(f"CREATE INDEX {table}_epk ON {table} (epk)")
    connection.execute(f"CREATE INDEX {table}_lsn ON {table} (lsn)")
    connection.execute(f"CREATE INDEX {table}_ts ON {table} (ts)")
    connection.execute(f"CREATE INDEX {table}_exp ON {table} (exp) WHERE exp IS NOT NULL")
    create_declared_indexes(connection, table, definition)
    return container


def replace_container(
    connection: sqlite3.Connection, old: Container, definition: dict[str, Any], ts: int
) -> Container:
    """Keep a container's new definition; lifetimes follow the new default.

    Raises:
        CosmosError: 404 where it is gone.
    """
    changed = connection.execute(
        "UPDATE containers SET definition = ?, ts = ? WHERE num = ?",
        (definition_text(definition), ts, old.num),
    )
    if changed.rowcount != 1:
        raise not_found()
    new = Container(old.num, old.database, definition, ts)
    if new.default_ttl != old.default_ttl:
        connection.execute(
            f"UPDATE {new.table} SET exp = CASE WHEN ?1 IS NULL THEN NULL "
            "ELSE ts + nullif(coalesce(body ->> '$.ttl', ?1), -1) END",
            (new.default_ttl,),
        )
    create_declared_indexes(connection, new.table, definition)
    return new


def delete_container(connection: sqlite3.Connection, container: Container) -> None:
    """Delete a container with its items.

    Raises:
        CosmosError: 404 where it is gone.
    """
    _drop(connection, container.num)
    deleted = connection.execute("DELETE FROM containers WHERE num = ?", (container.num,))
    if deleted.rowcount != 1:
        raise not_found()
    connection.execute("DELETE FROM offers WHERE resource = ?", (container.link,))


def _drop(connection: sqlite3.Connection, num: int) -> None:
    connection.execute(f"DROP TABLE IF EXISTS c{num:d}")
    connection.execute("DELETE FROM positions WHERE container = ?", (num,))


def put_offer(
    connection: sqlite3.Connection, resource: str, rid: str, content: dict[str, Any], ts: int
) -> None:
    """Keep the throughput of a resource."""
    connection.execute(
        "INSERT INTO offers (resource, resource_rid, content, ts) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (resource) DO UPDATE SET content = ?3, ts = ?4",
        (resource, rid, dump(content), ts),
    )


def offers(connection: sqlite3.Connection) -> list[Offer]:
    """All offers."""
    rows = connection.execute(
        "SELECT num, resource, resource_rid, content, ts FROM offers ORDER BY num"
    )
    return [Offer(num, res, rid, json.loads(content), ts) for num, res, rid, content, ts in rows]
