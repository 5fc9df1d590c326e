"""A Cosmos DB account: its file, what exists in it, and changing and reading it.

The HTTP door (`server`) stands on this class; `service` adds what the Functions host needs. Changes
run on the database's one writer and are on disk when a call returns; look-ups of single items run
on the event loop, since they cost less than changing threads; queries and feeds run on readers'
threads.

Leaves out: the wire, authentication, throughput. Source: specification, sections 6, 9 and 11.
"""
# ruff: noqa: S608 - a container's table is named by its number, paths are checked, values are bound

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from emulator.clock import Clock
from emulator.cosmos import items, store
from emulator.cosmos.auth import EMULATOR_KEY
from emulator.cosmos.catalogue import Catalogue, Live
from emulator.cosmos.changes import Change, Outcome, apply, run_batch
from emulator.cosmos.definition import container_definition, replaced_definition
from emulator.cosmos.entities import container_bodies
from emulator.cosmos.errors import OWNER_NOT_FOUND, CosmosError, not_found
from emulator.cosmos.feed import FeedRequest, read_changes
from emulator.cosmos.indexes import create_index
from emulator.cosmos.items import Moment, Row, Target
from emulator.cosmos.model import Container, Database, check_id
from emulator.cosmos.query import Page, run_query
from emulator.cosmos.scope import QueryRequest
from emulator.cosmos.sql.parser import warm_up
from emulator.cosmos.sql.sqlite import configure
from emulator.cosmos.strict import Generosity
from emulator.database import Database as Storage
from emulator.database import StorageError
from emulator.faults import Faults

T = TypeVar("T")
_log = logging.getLogger(__name__)
_PURGE_EVERY_S = 5.0


def open_storage(path: Path, faults: Faults | None = None) -> Storage:
    """The file of an account, not opened yet."""
    storage = Storage(
        path,
        schema=store.SCHEMA,
        version=store.SCHEMA_VERSION,
        name="cosmos",
        faults=faults,
    )
    storage.configure_connection = configure
    return storage


@contextmanager
def _named_errors() -> Iterator[None]:
    """Say what SQLite's errors mean to a caller."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            # Deleted meanwhile.
            raise not_found(OWNER_NOT_FOUND) from error
        # A disk that is full, say; a change was undone by its savepoint.
        raise StorageError(f"The data could not be read or written: {error}.") from error


def _log_failure(made: "asyncio.Future[None]") -> None:
    if not made.cancelled() and made.exception() is not None:
        _log.info("An index for a slow query could not be made: %s", made.exception())


class Account:
    """One account.

    Args:
        storage: the file, or its path. A path is opened and closed by the service.
        key: the account's key.
        is_strict: refuse queries that work here and not in the service.
    """

    def __init__(
        self,
        storage: Storage | Path,
        clock: Clock | None = None,
        faults: Faults | None = None,
        *,
        key: str = EMULATOR_KEY,
        is_strict: bool = False,
    ) -> None:
        self.clock = clock or Clock()
        self.faults = faults or Faults()
        self.key = key
        self.catalogue = Catalogue()
        self._generosity = Generosity(is_strict=is_strict)
        self._is_owner = isinstance(storage, Path)
        self.storage = open_storage(storage, self.faults) if isinstance(storage, Path) else storage
        self.storage.configure_connection = configure
        self._purging: asyncio.Task[None] | None = None

    async def start(self, entities: Mapping[str, Any] | None = None) -> None:
        """Load what exists and make what `infra/entities.json` names and is missing.

        Raises:
            StorageError: the file cannot be opened, or holds a container whose key differs.
            CosmosError: an entity is not a legal database or container.
        """
        if self._is_owner:
            self.storage.open()
        databases, containers = await self.storage.read(store.load)
        for database in databases:
            self.catalogue.add_database(database)
        for container, lsn in containers:
            self.catalogue.add_container(container, lsn)
        await self._provision(entities or {})
        asyncio.get_running_loop().run_in_executor(None, warm_up)
        self._purging = asyncio.create_task(self._purge_regularly())

    async def stop(self) -> None:
        """Stop the purge; close the file if the service opened it."""
        if self._purging is not None:
            self._purging.cancel()
            with suppress(asyncio.CancelledError):
                await self._purging
        if self._is_owner:
            await asyncio.to_thread(self.storage.close)

    async def _provision(self, entities: Mapping[str, Any]) -> None:
        name, bodies = container_bodies(entities)
        if name is None:
            return
        try:
            database = self.catalogue.database(name)
        except CosmosError:
            database = await self.create_database(name)
        for body in bodies:
            try:
                live = self.catalogue.container(database.id, body["id"])
            except CosmosError:
                await self.create_container(database, body)
                continue
            try:
                is_changed = replaced_definition(live.container, body) != live.container.definition
            except CosmosError as error:
                raise StorageError(
                    f"The container '{live.container.id}' exists with another definition than the "
                    f"entities file gives it: {error.message} Change the file back, or start with "
                    "another --data-dir."
                ) from error
            if is_changed:
                await self.replace_container(live, body)

    def now_s(self) -> int:
        """The present second."""
        return int(self.clock.now().timestamp())

    # Databases and containers

    async def create_database(self, name: str) -> Database:
        """Make a database; 409 where the id is taken."""
        check_id(name, 255)
        ts = self.now_s()
        database = await self.storage.write(
            lambda connection: store.create_database(connection, name, ts)
        )
        self.catalogue.add_database(database)
        return database

    async def delete_database(self, database: Database) -> None:
        """Delete a database with its containers."""
        await self.storage.write(lambda connection: store.delete_database(connection, database))
        self.catalogue.remove_database(database)

    async def create_container(self, database: Database, body: Mapping[str, Any]) -> Live:
        """Make a container of a definition as it comes over the wire."""
        definition, ts = container_definition(body), self.now_s()
        container = await self.storage.write(
            lambda connection: store.create_container(connection, database, definition, ts)
        )
        return self.catalogue.add_container(container)

    async def replace_container(self, live: Live, body: Any) -> Live:
        """Keep a container's new definition."""
        old, ts = live.container, self.now_s()
        definition = replaced_definition(old, body)
        live.container = await self.storage.write(
            lambda connection: store.replace_container(connection, old, definition, ts)
        )
        return live

    async def delete_container(self, live: Live) -> None:
        """Delete a container with its items."""
        container = live.container
        await self.storage.write(lambda connection: store.delete_container(connection, container))
        self.catalogue.remove_container(container)

    # Items, as the wire needs them

    async def change(self, live: Live, change: Change) -> tuple[Outcome, int]:
        """Carry out a change; also its log sequence number."""
        container = live.container

        def work(connection: sqlite3.Connection) -> tuple[Outcome, int]:
            moment = Moment(items.next_lsn(connection, container), self.now_s())
            return apply(connection, container, change, moment), moment.lsn

        return await self._advance(live, work)

    async def batch(self, live: Live, changes: list[Change]) -> tuple[list[Outcome], int]:
        """Carry out a batch, all or nothing, under one log sequence number.

        Raises:
            BatchFailed: an entry was refused.
        """
        container = live.container

        def work(connection: sqlite3.Connection) -> tuple[list[Outcome], int]:
            moment = Moment(items.next_lsn(connection, container), self.now_s())
            return run_batch(connection, container, changes, moment), moment.lsn

        return await self._advance(live, work)

    async def delete_partition(self, live: Live, epk: str) -> None:
        """Delete every item of a partition key's value."""
        container = live.container

        def work(connection: sqlite3.Connection) -> tuple[None, int]:
            lsn = items.next_lsn(connection, container)
            connection.execute(f"DELETE FROM {container.table} WHERE epk = ?", (epk,))
            return None, lsn

        await self._advance(live, work)

    async def _advance(
        self, live: Live, work: Callable[[sqlite3.Connection], tuple[T, int]]
    ) -> tuple[T, int]:
        """Run a change; when it is on disk, tell who waits, even if the caller has gone."""
        written = self.storage.submit(work)

        def tell(done: "asyncio.Future[tuple[T, int]]") -> None:
            if not done.cancelled() and done.exception() is None:
                live.watermark.advance(done.result()[1])

        written.add_done_callback(tell)
        with _named_errors():
            return await asyncio.shield(written)

    def read(self, live: Live, target: Target) -> Row:
        """The item that is meant, at its last committed version; 404 and 304 are raised."""
        container, now = live.container, self.now_s()
        with _named_errors():
            return self.storage.read_here(
                lambda connection: items.read(connection, container, target, now)
            )

    async def query(self, live: Live, request: QueryRequest) -> Page:
        """A page of a query's answer."""
        container, now = live.container, self.clock.now()
        page = await self.storage.read(
            lambda connection: run_query(connection, container, request, now, self._generosity)
        )
        if page.index and live.wants_index(page.index):
            # The next such query will find it; this one is answered now.
            made = self.storage.submit(
                partial(create_index, table=container.table, columns=page.index)
            )
            made.add_done_callback(_log_failure)
        return page

    async def changes(self, live: Live, request: FeedRequest) -> list[Row]:
        """A page of the change feed."""
        container, now = live.container, self.now_s()
        with _named_errors():
            return await self.storage.read(
                lambda connection: read_changes(connection, container, request, now)
            )

    # Expiry

    async def _purge_regularly(self) -> None:
        while True:
            await asyncio.sleep(_PURGE_EVERY_S)
            await self.purge()

    async def purge(self) -> None:
        """Delete what has expired; it was not visible any more."""
        for live in self.catalogue.every_container():
            container, now = live.container, self.now_s()
            while container.default_ttl is not None and self._has_expired(container, now):
                await self.storage.write(partial(items.purge_expired, container=container, now=now))

    def _has_expired(self, container: Container, now: int) -> bool:
        sql = f"SELECT EXISTS (SELECT 1 FROM {container.table} WHERE exp <= ?)"
        found: bool = self.storage.read_here(
            lambda connection: bool(connection.execute(sql, (now,)).fetchone()[0])
        )
        return found
