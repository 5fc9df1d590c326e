"""The lease of a container's change feed: who may read it, and how far it has been read.

An item of the lease container, in the extension's shape. One owner has it at a time; every write
names the version that the owner knows (`If-Match`), so an owner that was replaced meanwhile finds
out at its next write and never moves the other's checkpoint. An owner that ends gives the lease
back; of one that was killed it can be taken when it has not been renewed for its time.

Source: the change feed processor of the Cosmos DB SDK. DIFFERS: a container has one range, so it
has one lease, and all but one of its owners wait.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from emulator.clock import Clock
from emulator.cosmos.errors import CosmosError
from emulator.cosmos.service import CosmosService
from emulator.host.cosmos_source import FeedSource

Item = Mapping[str, Any]

_LOST = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_FOUND)


class LeaseLost(Exception):
    """Another owner took the lease, or somebody changed its item or deleted it."""


def may_take(lease: Item, owner: str, now: datetime, expiration: timedelta) -> bool:
    """Whether an owner may have a lease: it is free, was the owner's before, or has expired."""
    holder = lease["Owner"]
    return (
        not holder
        or holder == owner
        or now >= datetime.fromisoformat(lease["timestamp"]) + expiration
    )


class Lease:
    """One owner's side of a lease.

    Args:
        owner: a name that no other living owner has. A lease that carries it is taken at once:
            its former bearer is dead.
    """

    def __init__(self, source: FeedSource, owner: str, cosmos: CosmosService, clock: Clock) -> None:
        self._source = source
        self._owner = owner
        self._cosmos = cosmos
        self._clock = clock
        self._item: Item | None = None
        # Who had it when it was last asked for.
        self.holder = ""
        # A checkpoint and a renewal may come together; the second needs the version of the first.
        self._writing = asyncio.Lock()

    async def acquire(self, start: int) -> int | None:
        """Take the lease, made if it is missing.

        Args:
            start: the log sequence number that a new lease stands at.

        Returns:
            the log sequence number it stands at, or None while another owner has it.

        Raises:
            CosmosError: 404 where the lease container is missing.
            LeaseLost: another owner was quicker.
        """
        self._item = None
        found = await self._read()
        if found is None:
            await self._create(start)
            return start
        times = self._source.lease_times
        if not may_take(found, self._owner, self._clock.now(), times.expiration):
            self.holder = found["Owner"]
            return None
        self._item = found
        await self._write(Owner=self._owner)
        return int(found["ContinuationToken"])

    async def keep(self) -> None:
        """Renew the lease if it is time to.

        Raises:
            LeaseLost: it is another's by now.
        """
        async with self._writing:
            lease = self._held()
            renewed = datetime.fromisoformat(lease["timestamp"])
            if self._clock.now() - renewed >= self._source.lease_times.renew:
                await self._replace(lease, {})

    async def checkpoint(self, lsn: int) -> None:
        """Note how far the feed was read; it is on disk when this returns.

        Raises:
            LeaseLost: it is another's by now, and its checkpoint stays.
        """
        await self._write(ContinuationToken=str(lsn))

    async def release(self) -> None:
        """Give the lease back, if it is held."""
        if self._item is None:
            return
        try:
            await self._write(Owner=None)
        except LeaseLost:
            # Then there is nothing to give back.
            self._item = None

    def _held(self) -> Item:
        if self._item is None:
            raise LeaseLost
        return self._item

    async def _write(self, **changes: Any) -> None:
        async with self._writing:
            await self._replace(self._held(), changes)

    async def _replace(self, lease: Item, changes: Item) -> None:
        source = self._source
        document = {**lease, **changes, "timestamp": self._clock.now().isoformat()}
        try:
            self._item = await self._cosmos.replace_item(
                source.lease_database, source.lease_container, document, lease["_etag"]
            )
        except CosmosError as error:
            if error.status not in _LOST:
                raise
            self._item = None
            raise LeaseLost from error

    async def _create(self, start: int) -> None:
        source = self._source
        document = {
            "id": source.lease_id,
            "LeaseToken": "0",
            "ContinuationToken": str(start),
            "Owner": self._owner,
            "timestamp": self._clock.now().isoformat(),
        }
        try:
            self._item = await self._cosmos.create_item(
                source.lease_database, source.lease_container, document
            )
        except CosmosError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            raise LeaseLost from error

    async def _read(self) -> Item | None:
        source, cosmos = self._source, self._cosmos
        try:
            return await cosmos.read_item(
                source.lease_database, source.lease_container, source.lease_id, [source.lease_id]
            )
        except CosmosError as error:
            if error.status == HTTPStatus.NOT_FOUND and cosmos.container_exists(
                source.lease_database, source.lease_container
            ):
                return None
            raise
