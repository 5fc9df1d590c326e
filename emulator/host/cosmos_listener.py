"""Feeds a Cosmos DB trigger from a container's change feed.

Batches in the order of the changes, one at a time, for as long as this listener has the lease. The
lease moves on after the invocation ended, so a crash in between delivers the batch again. Without
`@app.retry` a failed batch is lost, as on Azure, and a warning says which documents; with it the
same batch is tried again in place, and only after the attempts run out is it lost.

Source: the Cosmos DB extension and its change feed processor. DIFFERS: a change wakes the listener
at once, and `feedPollDelay` does not delay it.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from emulator.clock import Clock
from emulator.cosmos.errors import CosmosError
from emulator.cosmos.service import CosmosService
from emulator.host.cosmos_lease import Lease, LeaseLost
from emulator.host.cosmos_source import FeedSource
from emulator.host.functions import Function
from emulator.host.invocations import Invocations, Request
from emulator.host.log import Log
from emulator.host.metadata import cosmos_documents

# A listener that could not start, and a fault while reading, are tried again after this.
_AGAIN_S = 5.0


class CosmosListener:
    """The listener of one function.

    Args:
        owner: the name in the lease; no other living listener has it.
    """

    def __init__(
        self,
        function: Function,
        source: FeedSource,
        cosmos: CosmosService,
        *,
        invocations: Invocations,
        owner: str,
        clock: Clock,
        log: Log,
    ) -> None:
        self._function = function
        self._source = source
        self._cosmos = cosmos
        self._invocations = invocations
        self._lease = Lease(source, owner, cosmos, clock)
        self._clock = clock
        self._log = log
        self._category = f"Function.{function.name}"
        self._task: asyncio.Task[None] | None = None
        self._batch: asyncio.Task[None] | None = None
        # The last text of the host's log, so that nothing is told again every few seconds.
        self._told = ""

    async def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen(), name=f"feed {self._function.name}")

    async def stop(self) -> None:
        """Read no more, wait for the batch in flight, and let others have the lease."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end_batch()
        try:
            await self._lease.release()
        except CosmosError as error:
            self._log.warning(
                f"The lease of '{self._function.title}' was not given back and must expire before "
                f"another owner has it: {error}",
                "Host.Listener",
            )

    async def _listen(self) -> None:
        while True:
            try:
                await self._end_batch()
                position = await self._acquire()
                if position is None:
                    self._tell_of_holder()
                    await asyncio.sleep(self._source.lease_times.acquire.total_seconds())
                    continue
                self._told = ""
                await self._follow(position)
            except LeaseLost:
                self._log.info(
                    f"'{self._function.title}' lost its lease '{self._source.lease_id}': another "
                    "owner took it, or somebody changed it or deleted it.",
                    self._category,
                )
            except Exception as error:  # noqa: BLE001 - whatever stops it, it is tried again
                self._tell_of_fault(error)
                await asyncio.sleep(_AGAIN_S)

    async def _end_batch(self) -> None:
        """Wait for a batch that was left in flight; what became of it was told where it ended."""
        if self._batch is not None:
            await asyncio.gather(self._batch, return_exceptions=True)

    def _tell_of_holder(self) -> None:
        text = (
            f"'{self._function.title}' waits: the lease '{self._source.lease_id}' is held by "
            f"'{self._lease.holder}'."
        )
        if text != self._told:
            self._log.info(text, self._category)
        self._told = text

    def _tell_of_fault(self, error: Exception) -> None:
        missing = isinstance(error, CosmosError) and error.status == HTTPStatus.NOT_FOUND
        text = (
            f"The listener for function '{self._function.title}' was unable to start. "
            f"{self._source.missing_text if missing else error}"
        )
        if text != self._told:
            self._log.error(text, "Host.Listener")
        self._told = text

    async def _acquire(self) -> int | None:
        """Take the lease; the position it stands at, or None while another owner has it."""
        source, cosmos = self._source, self._cosmos
        if source.create_lease_container:
            await cosmos.ensure_container(source.lease_database, source.lease_container)
        newest = await cosmos.current_lsn(source.database, source.container)
        from_start = source.from_beginning or source.from_time is not None
        position = await self._lease.acquire(0 if from_start else newest)
        if position is not None and position > newest:
            self._log.warning(
                f"The container '{source.container}' was made anew; the lease of "
                f"'{self._function.title}' starts from its beginning.",
                "Host.Listener",
            )
            await self._lease.checkpoint(0)
            return 0
        return position

    async def _follow(self, position: int) -> None:
        """Deliver what comes behind a position, until the lease is lost."""
        source, cosmos = self._source, self._cosmos
        renew_s = source.lease_times.renew.total_seconds()
        while True:
            await self._lease.keep()
            page = await cosmos.read_feed(source.database, source.container, position, source.page)
            wanted = [document for document in page.items if self._is_wanted(document)]
            if wanted:
                # A task of its own: a stop lets the batch in flight come to its end.
                self._batch = asyncio.create_task(self._deliver(wanted, page.last_lsn))
                await self._keep_during(self._batch, renew_s)
            elif page.items:
                await self._lease.checkpoint(page.last_lsn)
            position = page.last_lsn
            if not page.items:
                await cosmos.wait_for_change(source.database, source.container, position, renew_s)

    async def _keep_during(self, batch: asyncio.Task[None], renew_s: float) -> None:
        """Renew the lease for as long as a batch takes."""
        while not (await asyncio.wait({batch}, timeout=renew_s))[0]:
            await self._lease.keep()
        await batch

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
        await self._lease.checkpoint(last_lsn)
