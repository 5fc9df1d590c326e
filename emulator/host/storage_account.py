"""The app's storage account: opened when a function or a caller first needs it.

Most apps have no storage bindings, and theirs is never opened. Every connection leads to the one
account, whatever it names.
"""

import asyncio
from pathlib import Path
from typing import Any

from emulator import blob, storagequeue
from emulator.blob import BlobService, Receipts
from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.host.doors import Door
from emulator.storagequeue import QueueService


class StorageAccount:
    """The account of one data folder.

    Attributes:
        unopened_blobs: its blobs, for whoever is handed them before `blobs` opens the file.
        receipts: which versions of them the functions are done with.
    """

    def __init__(self, folder: Path, clock: Clock, faults: Faults) -> None:
        self._queue_file = _database(folder, "storagequeue", storagequeue, faults)
        self._blob_file = _database(folder, "blob", blob, faults)
        self._queues = QueueService(self._queue_file, clock, faults)
        self.unopened_blobs = BlobService(self._blob_file, folder / "blobs", clock, faults)
        self.receipts = Receipts(self._blob_file)
        self._opening = asyncio.Lock()
        self._opened: list[Database] = []

    async def queues(self) -> QueueService:
        """Its queues; raises StorageError if the file cannot be opened."""
        async with self._opening:
            if self._queue_file not in self._opened:
                await self._open(self._queue_file)
                await self._queues.start()
            return self._queues

    async def blobs(self) -> BlobService:
        """Its blobs; raises StorageError if the file cannot be opened."""
        async with self._opening:
            if self._blob_file not in self._opened:
                await self._open(self._blob_file)
                await self.unopened_blobs.start(containers=())
            return self.unopened_blobs

    async def serve_blobs(self, door: Door) -> None:
        """Open the Blob service's door on a bound port."""
        blobs = await self.blobs()
        blobs.origin = door.url
        await door.serve(blob.create_app(blobs))

    def poke(self) -> None:
        """Look at the clock now: it has been stepped."""
        self._queues.poke()

    async def _open(self, database: Database) -> None:
        await asyncio.to_thread(database.open)
        self._opened.append(database)

    async def stop(self) -> None:
        """Close what was opened."""
        if self._blob_file in self._opened:
            await self.unopened_blobs.stop()
        for database in reversed(self._opened):
            await asyncio.to_thread(database.close)


def _database(folder: Path, name: str, package: Any, faults: Faults) -> Database:
    return Database(
        folder / f"{name}.db",
        schema=package.SCHEMA,
        version=package.SCHEMA_VERSION,
        name=name,
        faults=faults,
    )
