"""The one opener of SQLite: a file, its schema's version, one writer that commits in groups.

Every service keeps its state in a file of its own and changes it only through `Database.write`. The
work runs on the writer's thread, inside a transaction that it shares with whatever else is waiting,
and `write` returns after COMMIT: what was acknowledged is on disk (`synchronous=FULL`), and many
acknowledgements cost one fsync. A work that raises is undone by its savepoint and disturbs no
other. Reads run on threads with connections of their own and see committed rows only.

Checks belong into the work, beside the change they guard: there is one writer, so nothing can come
between them.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from emulator.faults import Faults, InjectedFault

T = TypeVar("T")

# A group is bounded so that the first of many does not wait for the last of them.
_GROUP_LIMIT = 256
_READERS = 2
# After these SQLite may have undone the transaction by itself.
_DISK_ERRORS = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)


class StorageError(Exception):
    """The data cannot be opened or written; the text says what to do."""


@dataclass
class _Work:
    do: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Any]"


class Database:
    """One SQLite file.

    Args:
        path: the file; its folder must exist.
        schema: statements that make the tables where they are missing.
        version: the schema's version. A file of a newer one is refused.
        name: the service's word for it, used in errors and in the fault points that every
            transaction passes: `<name>.commit.middle` when a row has been changed and the next
            statement is about to run (only where a rule names it), `<name>.commit.before` when all
            is done but the COMMIT, `<name>.commit.after` when it is on disk.
    """

    def __init__(
        self, path: Path, *, schema: str, version: int, name: str, faults: Faults | None = None
    ) -> None:
        self._path = path
        self._schema = schema
        self._version = version
        self._name = name
        self._faults = faults or Faults()
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"{name}-reader")
        self._local = threading.local()
        self._read_connections: list[sqlite3.Connection] = []
        self.configure_connection: Callable[[sqlite3.Connection], None] = lambda _: None

    def open(self) -> None:
        """Open the file, make or check its schema, start the writer.

        Raises:
            StorageError: the file or folder cannot be written, or a newer version wrote it.
        """
        try:
            connection = self._connect()
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > self._version:
                connection.close()
                raise StorageError(
                    f"{self._path} was written by a newer version of the emulator (data version "
                    f"{found}, this one knows {self._version}). Update the emulator, or start with "
                    "another --data-dir."
                )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(self._schema)
            connection.execute(f"PRAGMA user_version={self._version:d}")
        except sqlite3.Error as error:
            raise StorageError(_explain(self._path, error)) from error
        self._connection = connection
        self._thread = threading.Thread(target=self._run, name=f"{self._name}-writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is queued, then close. Nothing may be written afterwards."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._readers.shutdown(wait=True)
        for connection in self._read_connections:
            connection.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Queue a change; the future resolves after it is on disk. Order of calls is kept."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Work(work, loop, done))
        return done

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a change on the writer; return its result once it is on disk.

        Raises: what the work raised (its changes are undone), or
            StorageError: the commit failed and nothing of the group was kept.
        """
        return await self.submit(work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on a reader's thread; it sees committed rows only."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    def read_here(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on the calling thread, for look-ups that cost less than changing threads."""
        return self._read(work)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
            self._read_connections.append(connection)
        return work(connection)

    def _connect(self) -> sqlite3.Connection:
        # check_same_thread is off because each connection is used by one thread at a time and
        # closed by another.
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=2000")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA foreign_keys=ON")
        self.configure_connection(connection)
        return connection

    def _run(self) -> None:
        connection = self._connection
        assert connection is not None
        while True:
            first = self._queue.get()
            if first is None:
                return
            group, last = [first], False
            while len(group) < _GROUP_LIMIT:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    last = True
                    break
                group.append(item)
            _settle(group, self._commit(connection, group))
            if last:
                return

    def _commit(
        self, connection: sqlite3.Connection, group: list[_Work]
    ) -> list[tuple[Any, BaseException | None]]:
        """Run a group in one transaction; an outcome for each of it."""
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            handed = self._handed(connection)
            for work in group:
                connection.execute("SAVEPOINT work")
                try:
                    outcomes.append((work.do(handed), None))
                except Exception as error:
                    if _is_of_the_disk(error):
                        raise
                    connection.execute("ROLLBACK TO work")
                    outcomes.append((None, error))
                connection.execute("RELEASE work")
            if isinstance(handed, _Watched):
                handed.pass_middle()
            self._faults.at_sync(f"{self._name}.commit.before")
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - a failed commit fails every work of the group
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failure = StorageError(_explain(self._path, error))
            failure.__cause__ = error
            return [(None, failure) for _ in group]
        # What is on disk cannot fail any more: only `die` and `delay` mean something here.
        with suppress(InjectedFault):
            self._faults.at_sync(f"{self._name}.commit.after")
        return outcomes

    def _handed(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """What the works of a transaction are handed: watched only if a rule asks for it."""
        point = f"{self._name}.commit.middle"
        if not self._faults.is_watched(point):
            return connection
        return cast(sqlite3.Connection, _Watched(connection, lambda: self._faults.at_sync(point)))


class _Watched:
    """A connection that passes a point once, in the midst of the changes of one transaction."""

    def __init__(self, connection: sqlite3.Connection, middle: Callable[[], object]) -> None:
        self._connection = connection
        self._middle: Callable[[], object] | None = middle
        self._changes = connection.total_changes

    def __getattr__(self, name: str) -> Any:
        if name in ("execute", "executemany") and self._connection.total_changes > self._changes:
            self.pass_middle()
        return getattr(self._connection, name)

    def pass_middle(self) -> None:
        """Pass the point, unless that is done."""
        middle, self._middle = self._middle, None
        if middle is not None:
            middle()


def _is_of_the_disk(error: Exception) -> bool:
    """Whether the transaction is lost, and not only the work that met the error."""
    code = getattr(error, "sqlite_errorcode", None)
    # The lower byte is the primary code; the rest says more of it.
    return isinstance(error, InjectedFault) or (code is not None and code & 0xFF in _DISK_ERRORS)


def _settle(group: list[_Work], outcomes: list[tuple[Any, BaseException | None]]) -> None:
    """Resolve the futures on their loops, one wake-up for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Work, Any, BaseException | None]]] = {}
    for work, (value, error) in zip(group, outcomes, strict=True):
        by_loop.setdefault(work.loop, []).append((work, value, error))

    def resolve(settled: list[tuple[_Work, Any, BaseException | None]]) -> None:
        for work, value, error in settled:
            if work.done.cancelled():
                continue
            if error is None:
                work.done.set_result(value)
            else:
                work.done.set_exception(error)

    for loop, settled in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, settled)


def _explain(path: Path, error: Exception) -> str:
    text = str(error)
    if "readonly" in text or "unable to open" in text:
        return (
            f"Cannot write {path}: {text}. Check that the folder exists and may be written by this "
            "user, or name another with --data-dir."
        )
    if "full" in text:
        return f"Cannot write {path}: the disk is full. Free some space and try again."
    if "malformed" in text or "not a database" in text:
        return (
            f"{path} is not a database of the emulator ({text}). Move it away, or start with "
            "another --data-dir."
        )
    return f"Cannot write {path}: {text}."
