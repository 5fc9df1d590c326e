"""The queues of a storage account.

A message that is dequeued is hidden for a time; whoever has it deletes it, or shows it again. A
message that nobody deletes shows by itself. Everything acknowledged is on disk. Called by the host.

Fault point: `storagequeue.put` (label `queue`; `duplicate` puts the messages twice, as a sender's
retry would).
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.storagequeue import store
from emulator.storagequeue.model import TIME_TO_LIVE_S, Message, check_body, check_name

# A message may not be asked for beyond this in one go.
MAX_COUNT = 32


class QueueService:
    """The queues in one file."""

    def __init__(self, database: Database, clock: Clock, faults: Faults | None = None) -> None:
        self._database = database
        self._clock = clock
        self._faults = faults or Faults()
        self._arrivals: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def start(self) -> None:
        """Show again what was hidden for receivers of an earlier run."""
        now_us = self._now_us()
        await self._database.write(lambda connection: store.release_all(connection, now_us))

    async def ensure_queue(self, name: str) -> None:
        """Make a queue where there is none of that name; raises ValueError for a bad name."""
        check_name(name)
        await self._database.write(lambda connection: store.open_queue(connection, name))

    async def put(self, queue: str, bodies: Sequence[bytes]) -> None:
        """Put messages at the end of a queue, all or none; they are on disk when it returns.

        Raises:
            QueueNotFound, MessageTooLarge; InjectedFault; StorageError.
        """
        for body in bodies:
            check_body(body)
        given = list(bodies)
        if await self._faults.at("storagequeue.put", queue=queue):
            given += bodies
        now_us = self._now_us()
        expires_us = now_us + int(TIME_TO_LIVE_S * 1e6)
        await asyncio.shield(
            self._database.submit(
                lambda connection: store.put(connection, queue, given, now_us, expires_us)
            )
        )
        self._arrived(queue)

    async def receive(
        self, queue: str, count: int, hidden_s: float, wait_s: float
    ) -> list[Message]:
        """Dequeue what is visible, at most `count`; waits for a first one, at most `wait_s`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while True:
            arrival = self._arrivals[queue]
            now_us = self._now_us()
            until_us = now_us + int(hidden_s * 1e6)
            found = await self._database.write(
                lambda connection, now_us=now_us, until_us=until_us: store.take(  # type: ignore[misc]
                    connection, queue, min(count, MAX_COUNT), now_us, until_us
                )
            )
            if found or loop.time() >= deadline:
                return found
            await self._wait(queue, arrival, deadline - loop.time())

    def poke(self) -> None:
        """Look at the clock now: it has been stepped."""
        for queue in list(self._arrivals):
            self._arrived(queue)

    def _arrived(self, queue: str) -> None:
        """Wake everyone who waits; who looks from now on waits for the next arrival."""
        self._arrivals.pop(queue, asyncio.Event()).set()

    async def _wait(self, queue: str, arrival: asyncio.Event, left_s: float) -> None:
        """Wait for an arrival, or until a hidden message shows."""
        due_us = await self._database.read(
            lambda connection: store.next_visible_us(connection, queue)
        )
        if due_us is not None:
            left_s = min(left_s, max(0.0, (due_us - self._now_us()) / 1e6))
        try:
            async with asyncio.timeout(left_s):
                await arrival.wait()
        except TimeoutError:
            return

    async def delete(self, message: Message) -> None:
        """Delete a dequeued message; raises MessageNotFound if it is another's by now."""
        await self._database.write(lambda connection: store.delete(connection, message))

    async def hold(self, message: Message, hidden_s: float) -> None:
        """Keep a dequeued message hidden for longer; raises MessageNotFound."""
        await self._show(message, hidden_s, held=True)

    async def release(self, message: Message, hidden_s: float = 0.0) -> None:
        """Give a dequeued message back, visible after a time; raises MessageNotFound."""
        await self._show(message, hidden_s, held=False)
        self._arrived(message.queue)

    async def move(self, message: Message, queue: str) -> None:
        """Put a dequeued message into another queue instead, in one step.

        Raises:
            MessageNotFound: it is another's by now.
        """
        now_us = self._now_us()
        expires_us = now_us + int(TIME_TO_LIVE_S * 1e6)
        await self._database.write(
            lambda connection: store.move(connection, message, queue, now_us, expires_us)
        )
        self._arrived(queue)

    async def _show(self, message: Message, hidden_s: float, *, held: bool) -> None:
        visible_us = self._now_us() + int(hidden_s * 1e6)
        await self._database.write(
            lambda connection: store.show(connection, message, visible_us, held=held)
        )

    async def list_messages(self, queue: str, limit: int = MAX_COUNT) -> list[Message]:
        """The first messages of a queue, hidden ones too; dequeues none."""
        return await self._database.read(
            lambda connection: store.list_messages(connection, queue, limit)
        )

    async def counts(self) -> list[tuple[str, int, int]]:
        """Every queue with how many messages it has, and how many are being handled."""
        return await self._database.read(store.count_messages)

    def _now_us(self) -> int:
        return store.to_us(self._clock.now())
