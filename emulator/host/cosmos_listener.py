"""Feeds a Cosmos DB trigger from a container's change feed.

Batches in the order of the changes, one at a time. The lease is an item of the lease container; it
moves on after the invocation ended, so a crash in between delivers the batch again. Without
`@app.retry` a failed batch is lost, as on Azure, and a warning says which documents; with it the
same batch is tried again in place, and only after the attempts run out is it lost.

Source: the Cosmos DB extension and its change feed processor. DIFFERS: a container has one range,
so it has one lease; a change wakes the listener at once, and `feedPollDelay` does not delay it.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from emulator.clock import Clock
from emulator.cosmos.errors import CosmosError
from emulator.cosmos.service import CosmosService
from emulator.host.errors import FunctionInError
from emulator.host.functions import Function
from emulator.host.invocations import Invocations, Request
from emulator.host.log import Log
from emulator.host.metadata import cosmos_documents
from emulator.host.services import cosmos_connection, cosmos_place
from emulator.host.settings import Settings

# What the service gives in one page when nobody asks for less.
_PAGE = 100
# A listener that could not start, and a fault while reading, are tried again after this.
_AGAIN_S = 5.0
_WAIT_S = 60.0


@dataclass(frozen=True)
class FeedSource:
    """Which feed a function listens to, and where its lease is."""

    database: str
    container: str
    lease_database: str
    lease_container: str
    lease_prefix: str = ""
    create_lease_container: bool = False
    page: int = _PAGE
    from_beginning: bool = False
    from_time: datetime | None = None

    @property
    def lease_id(self) -> str:
        """The id of the lease's item. Functions that share it split the feed."""
        return f"{self.lease_prefix}{self.database}_{self.container}..0"

    @property
    def missing_text(self) -> str:
        """The extension's words for a container that is not there."""
        return (
            f"Either the source container '{self.container}' (in database '{self.database}')  or "
            f"the lease container '{self.lease_container}' (in database '{self.lease_database}') "
            "does not exist. Both containers must exist before the listener starts. To "
            "automatically create the lease container, set 'CreateLeaseContainerIfNotExists' to "
            "'true'."
        )

    @staticmethod
    def of(function: Function, settings: Settings) -> "FeedSource":
        """Read a function's trigger.

        Raises:
            FunctionInError: it asks for what cannot be.
        """
        trigger = function.trigger
        place = cosmos_place(trigger, settings)
        if lease_connection := trigger.text("leaseConnection"):
            cosmos_connection(lease_connection, settings)
        if (trigger.text("changeFeedMode") or "LatestVersion").lower() != "latestversion":
            raise FunctionInError("The change feed mode 'AllVersionsAndDeletes' is not supported.")
        source = FeedSource(
            database=place.database,
            container=place.container,
            lease_database=trigger.text("leaseDatabaseName") or place.database,
            lease_container=trigger.text("leaseContainerName") or "leases",
            lease_prefix=trigger.text("leaseContainerPrefix") or "",
            create_lease_container=trigger.flag("createLeaseContainerIfNotExists"),
            page=max(1, trigger.number("maxItemsPerInvocation") or _PAGE),
            from_beginning=trigger.flag("startFromBeginning"),
            from_time=_time(trigger.text("startFromTime")),
        )
        if source.from_beginning and source.from_time is not None:
            raise FunctionInError("Only one of StartFromBeginning or StartFromTime can be used.")
        same = (source.database, source.container) == (
            source.lease_database,
            source.lease_container,
        )
        if same:
            raise FunctionInError(
                "The monitored container cannot be the same as the container storing the leases."
            )
        return source


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise FunctionInError(f"'startFromTime' is not a date: '{text}'.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class CosmosListener:
    """The listener of one function.

    Args:
        owner: a lock shared by the functions that share a lease; one of them has it at a time.
    """

    def __init__(
        self,
        function: Function,
        source: FeedSource,
        cosmos: CosmosService,
        *,
        invocations: Invocations,
        owner: asyncio.Lock,
        clock: Clock,
        log: Log,
    ) -> None:
        self._function = function
        self._source = source
        self._cosmos = cosmos
        self._invocations = invocations
        self._owner = owner
        self._clock = clock
        self._log = log
        self._category = f"Function.{function.name}"
        self._task: asyncio.Task[None] | None = None
        self._batch: asyncio.Task[None] | None = None
        self._lease: dict[str, Any] = {}

    async def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen(), name=f"feed {self._function.name}")

    async def stop(self) -> None:
        """Read no more, and wait for the batch in flight."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._batch is not None:
            await asyncio.gather(self._batch, return_exceptions=True)

    async def _listen(self) -> None:
        told = ""
        while True:
            try:
                async with self._owner:
                    await self._take_lease()
                    told = ""
                    await self._follow()
            except Exception as error:  # noqa: BLE001 - whatever stops it, it is tried again
                missing = isinstance(error, CosmosError) and error.status == HTTPStatus.NOT_FOUND
                text = (
                    f"The listener for function '{self._function.title}' was unable to start. "
                    f"{self._source.missing_text if missing else error}"
                )
                if text != told:
                    self._log.error(text, "Host.Listener")
                told = text
                await asyncio.sleep(_AGAIN_S)

    async def _take_lease(self) -> None:
        source, cosmos = self._source, self._cosmos
        if source.create_lease_container:
            await cosmos.ensure_container(source.lease_database, source.lease_container)
        lsn = await cosmos.current_lsn(source.database, source.container)
        try:
            self._lease = await cosmos.read_item(
                source.lease_database, source.lease_container, source.lease_id, [source.lease_id]
            )
        except CosmosError as error:
            if error.status != 404 or not cosmos.container_exists(
                source.lease_database, source.lease_container
            ):
                raise
            start = 0 if source.from_beginning or source.from_time is not None else lsn
            await self._move_lease(start)
        if int(self._lease["ContinuationToken"]) > lsn:
            self._log.warning(
                f"The container '{source.container}' was made anew; the lease of "
                f"'{self._function.title}' starts from its beginning.",
                "Host.Listener",
            )
            await self._move_lease(0)

    async def _move_lease(self, lsn: int) -> None:
        """Write the checkpoint; it is on disk when this returns."""
        source = self._source
        self._lease = await self._cosmos.upsert(
            source.lease_database,
            source.lease_container,
            {
                "id": source.lease_id,
                "LeaseToken": "0",
                "ContinuationToken": str(lsn),
                "Owner": self._function.name,
                "timestamp": self._clock.now().isoformat(),
            },
        )

    async def _follow(self) -> None:
        source, cosmos = self._source, self._cosmos
        position = int(self._lease["ContinuationToken"])
        while True:
            page = await cosmos.read_feed(source.database, source.container, position, source.page)
            wanted = [document for document in page.items if self._is_wanted(document)]
            if wanted:
                self._batch = asyncio.create_task(self._deliver(wanted, page.last_lsn))
                # Shielded: a stop lets the batch in flight come to its end.
                await asyncio.shield(self._batch)
            elif page.items:
                await self._move_lease(page.last_lsn)
            position = page.last_lsn
            if not page.items:
                await cosmos.wait_for_change(source.database, source.container, position, _WAIT_S)

    def _is_wanted(self, document: dict[str, Any]) -> bool:
        start = self._source.from_time
        return start is None or document["_ts"] >= start.timestamp()

    async def _deliver(self, documents: list[dict[str, Any]], last_lsn: int) -> None:
        """Run the function for a batch and move the lease behind it, even if it failed."""
        now = self._clock.now().isoformat()
        outcome = await self._invocations.run_with_retries(
            Request(
                function=self._function,
                trigger=cosmos_documents(documents),
                reason=f"New changes on container {self._source.container} at {now}",
            )
        )
        if outcome.cut_short:
            # No checkpoint: the batch is delivered again at the next start.
            return
        if not outcome.ok:
            ids = ", ".join(str(document.get("id")) for document in documents)
            self._log.warning(
                f"'{self._function.title}' failed and the change feed moves on: these documents "
                f"of '{self._source.container}' are not delivered again: {ids}",
                self._category,
            )
        await self._move_lease(last_lsn)
