"""Opens the emulated services on their files, and closes them in the reverse order.

One SQLite file for each service, all in the data folder. What an entities file cannot mean is one
clear error.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator import eventgrid, servicebus
from emulator.clock import Clock
from emulator.cosmos import CosmosError, CosmosService, open_storage
from emulator.database import Database
from emulator.eventgrid import Subscription
from emulator.faults import Faults
from emulator.host.errors import SettingsError
from emulator.host.services import Services
from emulator.host.storage_account import StorageAccount


class Storage:
    """The services of one data folder."""

    def __init__(self, folder: Path, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._servicebus = self._database(folder, "servicebus", servicebus)
        self._eventgrid = self._database(folder, "eventgrid", eventgrid)
        self._cosmos = open_storage(folder / "cosmos.db", faults)
        self._account = StorageAccount(folder, clock, faults)
        self._opened: list[Database] = []
        self.services: Services | None = None

    def _database(self, folder: Path, name: str, package: Any) -> Database:
        return Database(
            folder / f"{name}.db",
            schema=package.SCHEMA,
            version=package.SCHEMA_VERSION,
            name=name,
            faults=self._faults,
        )

    async def start(self, entities: Mapping[str, Any]) -> Services:
        """Open every file and make what the entities file names.

        Raises:
            StorageError: a file cannot be opened.
            SettingsError: an entity makes no sense.
        """
        for database in (self._servicebus, self._eventgrid, self._cosmos):
            database.open()
            self._opened.append(database)
        section = entities.get("eventGrid") or {}
        services = Services(
            broker=servicebus.Broker(self._servicebus, self._clock, self._faults),
            cosmos=CosmosService(self._cosmos, self._clock, self._faults),
            sink=eventgrid.Sink(
                self._eventgrid,
                self._clock,
                self._faults,
                topics=section.get("topics"),
                subscriptions=_subscriptions(section),
            ),
            account=self._account,
        )
        self.services = services
        try:
            queues = [
                servicebus.QueueSettings.from_entity(entity)
                for entity in entities.get("serviceBus", {}).get("queues", [])
            ]
            await services.broker.start(queues)
            await services.cosmos.start(entities)
        except (ValueError, KeyError, TypeError, AttributeError, CosmosError) as error:
            raise SettingsError(f"The entities file cannot be used: {error!s}") from error
        return services

    async def stop(self) -> None:
        """Finish what is queued and close the files."""
        if self.services is not None:
            await self.services.broker.stop()
            await self.services.cosmos.stop()
            await self._account.stop()
        for database in reversed(self._opened):
            await asyncio.to_thread(database.close)


def _subscriptions(section: Mapping[str, Any]) -> list[Subscription]:
    try:
        return [Subscription.from_entity(each) for each in section.get("subscriptions", ())]
    except (ValueError, TypeError, AttributeError) as error:
        raise SettingsError(f"The entities file cannot be used: {error!s}") from error
