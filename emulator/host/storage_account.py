"""The app's storage account: opened when a function or a caller first needs it.

Most apps have no storage bindings, and theirs is never opened. Every connection leads to the one
account, whatever it names.
"""

import asyncio
from pathlib import Path

from emulator import storagequeue
from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.storagequeue import QueueService


class StorageAccount:
    """The account of one data folder."""

    def __init__(self, folder: Path, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._file = Database(
            folder / "storagequeue.db",
            schema=storagequeue.SCHEMA,
            version=storagequeue.SCHEMA_VERSION,
            name="storagequeue",
            faults=faults,
        )
        self._opening = asyncio.Lock()
        self._queues: QueueService | None = None

    async def queues(self) -> QueueService:
        """Its queues; raises StorageError if the file cannot be opened."""
        async with self._opening:
            if self._queues is None:
                await asyncio.to_thread(self._file.open)
                queues = QueueService(self._file, self._clock, self._faults)
                await queues.start()
                self._queues = queues
            return self._queues

    async def stop(self) -> None:
        """Close what was opened."""
        if self._queues is not None:
            await asyncio.to_thread(self._file.close)
