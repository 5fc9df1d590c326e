"""The queues of a namespace: durable sends, peek-locks, settlement, dead-letter queues, time.

Decisions are `model`'s, rows are `store`'s; here they meet. One event loop, one writer. Left out on
purpose: topics, transactions, forwarding, partitions. Called by the host, by `server`, by tests.

`send` returns after the messages are on disk, and only then may a receiver see them. `complete`,
`dead_letter`, `defer` and `cancel_scheduled` return after the change is on disk. Locks and counts:
see `engine`.

Fault points: `servicebus.send` (`duplicate`: the same message is sent a second time, which
duplicate detection drops where it is on) and `servicebus.deliver` (`duplicate`: the lock is lost
the moment the message is handed out, so the same message is delivered again with its count risen,
and the first receiver's token no longer completes it; `fail`: the message goes back and `receive`
raises).
"""

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.servicebus import store
from emulator.servicebus.engine import Engine
from emulator.servicebus.errors import InvalidOperation, MessageLockLost
from emulator.servicebus.limits import check_message
from emulator.servicebus.messages import OutgoingMessage, QueueSettings, ReceivedMessage
from emulator.servicebus.model import Slot, State, from_us
from emulator.servicebus.sessions import SessionLock
from emulator.servicebus.subqueue import SubQueue, received


class Broker:
    """The namespace's queues. `start` before use, `stop` before its database is closed."""

    def __init__(self, database: Database, clock: Clock, faults: Faults | None = None) -> None:
        self._database = database
        self._faults = faults or Faults()
        self._engine = Engine(database, clock)

    async def start(self, queues: Iterable[QueueSettings]) -> None:
        """Open the queues with all that is in them, and those of earlier runs with the defaults."""
        for settings in queues:
            await self._engine.open(settings)
        for name in await self._database.read(store.queue_names):
            await self.ensure_queue(name)
        self._engine.start()

    async def stop(self) -> None:
        """Let every waiting receiver go home empty-handed; locks are left to lapse."""
        await self._engine.stop()

    async def ensure_queue(self, name: str) -> None:
        """Open a queue with the defaults if there is none of this name."""
        await self._engine.open(QueueSettings(name))

    def queue_names(self) -> list[str]:
        """Every queue, in the order of opening."""
        return [main.name for main, _ in self._engine.queues.values()]

    def settings(self, queue: str) -> QueueSettings:
        """What a queue is set to; raises QueueNotFound."""
        return self._engine.resolve(queue).settings

    def poke(self) -> None:
        """Look at the clock now, after it was moved."""
        self._engine.poke()

    async def send(self, queue: str, messages: Sequence[OutgoingMessage]) -> list[int]:
        """Put messages into a queue, all or none; they are on disk when it returns.

        Returns: their sequence numbers; that of the earlier message for a repeated one, which is
            accepted and dropped where the queue detects duplicates.
        Raises:
            QueueNotFound, InvalidOperation (a dead-letter queue), InvalidMessage, MessageTooLarge;
            StorageError: nothing was kept.
        """
        target = self._engine.resolve(queue)
        if target.is_dead_letter:
            raise InvalidOperation("Cannot send to a dead-letter queue.")
        copies: list[OutgoingMessage] = []
        given: list[OutgoingMessage] = []
        for message in messages:
            check_message(message, target.settings)
            named = replace(message, message_id=message.message_id or uuid.uuid4().hex)
            labels = {"queue": target.name, "message_id": named.message_id or ""}
            if await self._faults.at("servicebus.send", **labels):
                copies.append(named)
            given.append(named)
        now_us = self._engine.now_us()
        accepted = await asyncio.shield(
            self._engine.commit(
                lambda connection: store.append(
                    connection, target.number, target.settings, given + copies, now_us
                ),
                lambda result: self._engine.take_in(target, result),
                lambda: None,
            )
        )
        return [each.sequence_number for each in accepted[: len(given)]]

    async def receive(
        self,
        path: str,
        max_count: int = 1,
        wait_s: float | None = 0,
        *,
        session: SessionLock | None = None,
    ) -> list[ReceivedMessage]:
        """Lock the first messages of a queue or dead-letter queue.

        Args:
            wait_s: how long to wait for the first one; None is without end. What has arrived is
                returned at once, however few.
            session: the session to receive from, where the queue requires sessions.
        Returns: the messages; empty if there were none in time, or the broker was stopped.
        """
        queue = self._engine.resolve(path)
        if queue.model.requires_session and session is None:
            raise InvalidOperation(
                "It is not possible for an entity that requires sessions to create a "
                "non-sessionful message receiver."
            )
        loop = asyncio.get_running_loop()
        deadline = None if wait_s is None else loop.time() + wait_s
        while True:
            taken = self._take(queue, max_count, session)
            if taken:
                return await self._deliver(queue, taken)
            remaining_s = None if deadline is None else deadline - loop.time()
            if self._engine.is_stopped or not await queue.arrival(remaining_s):
                return []

    async def receive_deferred(
        self, path: str, sequence_numbers: Sequence[int]
    ) -> list[ReceivedMessage]:
        """Lock deferred messages by their numbers; raises MessageNotFound."""
        queue = self._engine.resolve(path)
        now_us = self._engine.advance(queue)
        taken = queue.model.take_deferred(now_us, sequence_numbers, _token)
        return await self._deliver(queue, taken)

    async def receive_and_delete(
        self, path: str, max_count: int = 1, wait_s: float | None = 0
    ) -> list[ReceivedMessage]:
        """Take messages away for good; they are off the disk when it returns: at most once."""
        queue = self._engine.resolve(path)
        messages = await self.receive(path, max_count, wait_s)
        kept: list[ReceivedMessage] = []
        slots: list[Slot] = []
        for each in messages:
            with contextlib.suppress(MessageLockLost):  # it will be received again, so not twice
                slots.append(self._engine.settle(queue, each.lock_token))
                kept.append(replace(each, lock_token="", locked_until=from_us(0)))
        await self._engine.delete(queue, slots)
        return kept

    async def complete(self, path: str, lock_token: str) -> None:
        """Take a locked message away for good.

        Raises:
            MessageLockLost.
            StorageError: nothing has changed, and the lock holds on.
        """
        await self._engine.complete(self._engine.resolve(path), lock_token)

    async def abandon(self, path: str, lock_token: str) -> None:
        """Give a locked message back; it may be received again at once. Raises MessageLockLost."""
        queue = self._engine.resolve(path)
        await asyncio.shield(
            self._engine.give_back(queue, [self._engine.settle(queue, lock_token)])
        )

    async def dead_letter(
        self, path: str, lock_token: str, reason: str | None = None, description: str | None = None
    ) -> None:
        """Move a locked message to the dead-letter queue; raises MessageLockLost."""
        queue = self._engine.resolve(path)
        if queue.is_dead_letter:
            raise InvalidOperation("A message of a dead-letter queue cannot be dead-lettered.")
        slot = self._engine.settle(queue, lock_token)
        await asyncio.shield(self._engine.bury(queue, [slot], reason, description))

    async def defer(self, path: str, lock_token: str) -> None:
        """Set a locked message aside for `receive_deferred`; raises MessageLockLost."""
        queue = self._engine.resolve(path)
        slot = self._engine.settle(queue, lock_token)
        await asyncio.shield(
            self._engine.commit(
                lambda connection: store.set_deferred(connection, queue.key(slot)),
                lambda _: queue.model.defer(slot),
                lambda: self._engine.bring_back(queue, [slot]),
            )
        )

    async def renew(self, path: str, lock_token: str) -> datetime:
        """Hold a lock for another lock duration; until when. Raises MessageLockLost."""
        queue = self._engine.resolve(path)
        if queue.model.requires_session:
            raise InvalidOperation("The lock of a message in a session is renewed by its session.")
        now_us = self._engine.advance(queue)
        return from_us(queue.model.renew(lock_token, now_us))

    async def cancel_scheduled(self, queue: str, sequence_number: int) -> None:
        """Take back a message that is not yet enqueued; raises MessageNotFound."""
        target = self._engine.resolve(queue)
        self._engine.advance(target)
        await self._engine.delete(target, [target.model.cancel_scheduled(sequence_number)])

    async def accept_session(
        self, path: str, session_id: str | None = None, wait_s: float | None = 0
    ) -> SessionLock | None:
        """Lock a session, or the next one with a message; None if there was none in time."""
        queue = self._engine.resolve(path)
        if not queue.model.requires_session:
            raise InvalidOperation("A sessionful message receiver needs an entity with sessions.")
        loop = asyncio.get_running_loop()
        deadline = None if wait_s is None else loop.time() + wait_s
        while True:
            lock = queue.model.accept_session(session_id, _token(), self._engine.advance(queue))
            if lock is not None:
                self._engine.mind(queue)
                return lock
            remaining_s = None if deadline is None else deadline - loop.time()
            if self._engine.is_stopped or not await queue.arrival(remaining_s):
                return None

    async def renew_session(self, path: str, session: SessionLock) -> SessionLock:
        """Hold a session for another lock duration; raises SessionLockLost."""
        queue = self._engine.resolve(path)
        now_us = self._engine.advance(queue)
        return queue.model.renew_session(session.session_id, session.token, now_us)

    async def release_session(self, path: str, session: SessionLock) -> None:
        """Give a session up, with what is locked in it; no error if it was lost already."""
        queue = self._engine.resolve(path)
        slots = queue.model.release_session(session.session_id, session.token)
        await asyncio.shield(self._engine.give_back(queue, slots))
        queue.wake()

    def counts(self, queue: str) -> dict[str, int]:
        """How many messages are where; `active` are free to be received."""
        main, dead = self._engine.pair(queue)
        self._engine.advance(main)
        self._engine.advance(dead)
        return {
            "active": main.model.count(State.ACTIVE),
            "locked": main.model.count(State.LOCKED),
            "in_transit": main.model.count(State.IN_TRANSIT),
            "scheduled": main.model.count(State.SCHEDULED),
            "deferred": main.model.count(State.DEFERRED),
            "dead_letter": sum(
                dead.model.count(state) for state in State if state is not State.SCHEDULED
            ),
            "dead_letter_locked": dead.model.count(State.LOCKED),
        }

    async def peek(
        self, path: str, from_sequence: int = 0, count: int = 100
    ) -> list[ReceivedMessage]:
        """Look at messages in order without locking them; locked ones are shown too."""
        queue = self._engine.resolve(path)
        rows = await self._database.read(
            lambda connection: store.browse(
                connection, queue.number, queue.is_dead_letter, from_sequence, count
            )
        )
        return [
            received(
                queue,
                sequence_number,
                stored,
                delivery_count=deliveries,
                state=State(state).name.capitalize(),
            )
            for sequence_number, deliveries, state, stored in rows
        ]

    # -- handing out --

    def _take(self, queue: SubQueue, limit: int, session: SessionLock | None) -> list[Slot]:
        now_us = self._engine.advance(queue)
        session_id = ""
        if session is not None:
            queue.model.check_session(session.session_id, session.token, now_us)
            session_id = session.session_id
        return queue.model.take(now_us, limit, _token, session_id)

    async def _deliver(self, queue: SubQueue, taken: list[Slot]) -> list[ReceivedMessage]:
        """Hand out what was locked; all of it goes back if that does not succeed."""
        # A lock may lapse and be taken anew while bodies are read: remember it as it is now.
        locks = [
            (each, each.lock_token, each.delivery_count, each.locked_until_us) for each in taken
        ]
        self._engine.record_deliveries([(count, queue.key(slot)) for slot, _, count, _ in locks])
        self._engine.mind(queue)
        messages: list[ReceivedMessage] = []
        lost: list[str] = []
        try:
            stored = await self._contents(queue, taken)
            for slot, token, count, until_us in locks:
                message = received(
                    queue,
                    slot.sequence_number,
                    stored[queue.key(slot)],
                    delivery_count=count,
                    lock_token=token,
                    locked_until_us=until_us,
                )
                labels = {"queue": queue.path, "message_id": message.message_id}
                if await self._faults.at("servicebus.deliver", **labels):
                    lost.append(token)
                messages.append(message)
        except BaseException:
            self._engine.lose_locks(queue, [token for _, token, _, _ in locks])
            raise
        self._engine.lose_locks(queue, lost)
        return messages

    async def _contents(self, queue: SubQueue, slots: list[Slot]) -> dict[int, store.Stored]:
        found: dict[int, store.Stored] = {}
        missing: list[int] = []
        for slot in slots:
            key = queue.key(slot)
            stored = self._engine.recent.get(key)
            if stored is None:
                missing.append(key)
            else:
                found[key] = stored
        if missing:
            found.update(
                await self._database.read(
                    lambda connection: store.read_messages(connection, missing)
                )
            )
        return found


def _token() -> str:
    return str(uuid.uuid4())
