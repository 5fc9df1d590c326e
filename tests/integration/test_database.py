"""The one opener of SQLite: group commit, undone works, what it refuses and how it says so."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emulator.database import Database, StorageError
from emulator.faults import FaultRule, Faults

SCHEMA = "CREATE TABLE IF NOT EXISTS thing(id INTEGER PRIMARY KEY, name TEXT UNIQUE)"


def make(path: Path, faults: Faults | None = None, version: int = 1) -> Database:
    return Database(path, schema=SCHEMA, version=version, name="things", faults=faults)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = make(tmp_path / "things.db")
    opened.open()
    yield opened
    await asyncio.to_thread(opened.close)


def insert(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute("INSERT INTO thing(name) VALUES (?)", (name,)).lastrowid or 0


def names(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM thing ORDER BY id")]


async def test_what_was_written_is_read_by_others(database: Database) -> None:
    assert await database.write(lambda c: insert(c, "a")) == 1
    assert await database.read(names) == ["a"]


async def test_works_that_wait_together_keep_their_order(database: Database) -> None:
    ids = await asyncio.gather(
        *(database.write(lambda c, n=n: insert(c, f"n{n}")) for n in range(300))  # type: ignore[misc]
    )
    assert ids == sorted(ids)
    assert await database.read(names) == [f"n{n}" for n in range(300)]


async def test_work_that_raises_is_undone_and_disturbs_no_other(database: Database) -> None:
    def half(connection: sqlite3.Connection) -> None:
        insert(connection, "half")
        raise LookupError("changed its mind")

    before, middle, after = await asyncio.gather(
        database.write(lambda c: insert(c, "before")),
        database.write(half),
        database.write(lambda c: insert(c, "after")),
        return_exceptions=True,
    )
    assert (before, after) == (1, 2)
    assert isinstance(middle, LookupError)
    assert await database.read(names) == ["before", "after"]


async def test_commit_that_fails_fails_all_of_its_group_and_keeps_nothing(tmp_path: Path) -> None:
    faults = Faults([FaultRule("things.commit.before", "fail")])
    opened = make(tmp_path / "things.db", faults)
    opened.open()
    with pytest.raises(StorageError, match=r"things\.db"):
        await opened.write(lambda c: insert(c, "lost"))
    await opened.write(lambda c: insert(c, "kept"))
    assert await opened.read(names) == ["kept"]
    await asyncio.to_thread(opened.close)


async def test_rule_that_would_fail_a_commit_afterwards_changes_nothing(tmp_path: Path) -> None:
    faults = Faults([FaultRule("things.commit.after", "fail", times=None)])
    opened = make(tmp_path / "things.db", faults)
    opened.open()
    assert await opened.write(lambda c: insert(c, "a")) == 1
    assert await opened.write(lambda c: insert(c, "b")) == 2
    await asyncio.to_thread(opened.close)


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await database.read(lambda c: insert(c, "x"))


def test_data_of_a_newer_version_is_refused_with_advice(tmp_path: Path) -> None:
    newer = make(tmp_path / "things.db", version=7)
    newer.open()
    newer.close()
    with pytest.raises(StorageError, match=r"newer version.*data version 7.*--data-dir"):
        make(tmp_path / "things.db").open()


def test_file_that_is_no_database_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    path.write_bytes(b"These are my holiday notes, not a database." * 100)
    with pytest.raises(StorageError, match=r"not a database.*--data-dir"):
        make(path).open()


def test_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Cannot write .*nowhere"):
        make(tmp_path / "nowhere" / "things.db").open()


class Noting(Faults):
    """Notes what the transaction has changed when it passes its middle."""

    def __init__(self, rules: list[FaultRule]) -> None:
        super().__init__(rules)
        self.seen: list[int] = []
        self.connection: sqlite3.Connection | None = None

    def at_sync(self, point: str, **labels: str) -> bool:
        if point == "things.commit.middle" and self.connection is not None:
            self.seen.append(self.connection.execute("SELECT count(*) FROM thing").fetchone()[0])
        return super().at_sync(point, **labels)


async def test_the_middle_is_passed_once_between_the_changes_of_a_transaction(
    tmp_path: Path,
) -> None:
    faults = Noting([FaultRule("things.commit.middle", "fail", after=9)])
    opened = make(tmp_path / "things.db", faults)
    opened.open()
    faults.connection = opened._connection

    def three(connection: sqlite3.Connection) -> None:
        for name in ("a", "b", "c"):
            insert(connection, name)

    await opened.write(three)
    assert faults.seen == [1]
    # One statement has no middle: its end is passed instead.
    await opened.write(lambda c: insert(c, "d"))
    assert faults.seen == [1, 4]
    await asyncio.to_thread(opened.close)


async def test_a_disk_that_fails_in_the_middle_undoes_the_whole_transaction(tmp_path: Path) -> None:
    faults = Faults([FaultRule("things.commit.middle", "fail", message="disk I/O error")])
    opened = make(tmp_path / "things.db", faults)
    opened.open()

    def two(connection: sqlite3.Connection) -> None:
        insert(connection, "a")
        insert(connection, "b")

    with pytest.raises(StorageError, match="disk I/O error"):
        await opened.write(two)
    assert await opened.read(names) == []
    await opened.write(two)
    assert await opened.read(names) == ["a", "b"]
    await asyncio.to_thread(opened.close)


async def test_a_disk_that_is_full_within_a_work_is_no_fault_of_the_work(tmp_path: Path) -> None:
    opened = make(tmp_path / "things.db")
    opened.open()

    def limit(connection: sqlite3.Connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}").fetchone()

    await opened.write(lambda c: limit(c, 1))
    outcomes = await asyncio.gather(
        *(opened.write(lambda c, n=n: insert(c, "x" * 3000 + str(n))) for n in range(5)),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert any(isinstance(outcome, StorageError) for outcome in outcomes)
    for outcome in outcomes:
        assert isinstance(outcome, int | StorageError)
    kept = len(await opened.read(names))
    assert kept == sum(isinstance(outcome, int) for outcome in outcomes)
    await opened.write(lambda c: limit(c, 1_000_000))
    await opened.write(lambda c: insert(c, "room"))
    assert len(await opened.read(names)) == kept + 1
    await asyncio.to_thread(opened.close)
