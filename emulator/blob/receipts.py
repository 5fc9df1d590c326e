"""Who has handled which version of which blob: what a blob trigger needs to run once for each.

A receipt names a reader, a blob and its etag; a blob that is replaced has a new etag and is unseen
again. On Azure the host keeps receipts as blobs of their own; here they are rows beside the blobs.
"""

import sqlite3
from collections.abc import Sequence

from emulator.blob import store
from emulator.blob.model import Blob
from emulator.database import Database


class Receipts:
    """The receipts of one account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unseen(self, reader: str, container: str, limit: int) -> list[tuple[Blob, int]]:
        """Blobs that a reader is not done with, oldest first, each with its failed attempts."""
        return await self._database.read(
            lambda connection: _unseen(connection, reader, container, limit)
        )

    async def failed(self, reader: str, blob: Blob, attempts: int) -> None:
        """Count the attempts that a reader has failed at with a version of a blob."""
        await self._database.write(
            lambda connection: _note(connection, reader, [blob], attempts, done=False)
        )

    async def done(self, reader: str, blobs: Sequence[Blob]) -> None:
        """A reader is done with these versions."""
        if blobs:
            await self._database.write(
                lambda connection: _note(connection, reader, blobs, 0, done=True)
            )


def _unseen(
    connection: sqlite3.Connection, reader: str, container: str, limit: int
) -> list[tuple[Blob, int]]:
    columns = ", ".join(f"blob.{name.strip()}" for name in store.COLUMNS.split(","))
    rows = connection.execute(
        f"SELECT COALESCE(receipt.attempts, 0), {columns} FROM blob LEFT JOIN receipt "  # noqa: S608 - fixed names
        "ON receipt.reader = ? AND receipt.container = blob.container "
        "AND receipt.name = blob.name AND receipt.etag = blob.etag "
        "WHERE blob.container = ? AND NOT COALESCE(receipt.done, 0) "
        "ORDER BY blob.modified_us, blob.name LIMIT ?",
        (reader, container, limit),
    )
    return [(store.blob_of(row), attempts) for attempts, *row in rows]


def _note(
    connection: sqlite3.Connection, reader: str, blobs: Sequence[Blob], attempts: int, *, done: bool
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO receipt VALUES (?, ?, ?, ?, ?, ?)",
        [(reader, blob.container, blob.name, blob.etag, attempts, done) for blob in blobs],
    )
    # Receipts of versions that are gone are of no more use.
    connection.executemany(
        "DELETE FROM receipt WHERE reader = ? AND container = ? AND name = ? AND etag IS NOT "
        "(SELECT etag FROM blob WHERE container = receipt.container AND name = receipt.name)",
        [(reader, blob.container, blob.name) for blob in blobs],
    )
