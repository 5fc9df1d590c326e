"""What becomes of messages, on the disk and in the model together; time is one sleeping task.

The inner half of `broker`: it finds queues, commits changes, and lets the model follow what became
of them. A message whose change is being written is IN_TRANSIT, in nobody's hands.

What is on disk when:

- A lock is never stored. It dies with the process, and its message is free at the next start.
- The count of deliveries is written with the lock but not waited for, so a delivery costs no fsync.
  Counts still never go down across a crash: the next delivery of a message is only made after the
  count of the one before is on disk: a message that comes back is freed after that was written.
  So when n was shown, at least n - 1 is stored, and the delivery
  after the crash is shown as n or more.
- A message that a dying process held for the last of its deliveries is dead-lettered at the next
  start, as the service would when the lock runs out.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from emulator.clock import Clock
from emulator.database import Database
from emulator.servicebus import store
from emulator.servicebus.errors import MessageLockLost, QueueNotFound
from emulator.servicebus.messages import QueueSettings
from emulator.servicebus.model import (
    EXHAUSTED_REASON,
    EXPIRED_DESCRIPTION,
    EXPIRED_REASON,
    Fate,
    QueueModel,
    Slot,
    State,
    exhausted_description,
    to_us,
)
from emulator.servicebus.subqueue import RecentBodies, SubQueue

T = TypeVar("T")

_DEAD_LETTER_SUFFIX = "/$deadletterqueue"
# How long a change that time asks for waits before it is tried again on a disk that refuses it.
_RETRY_S = 1.0
_log = logging.getLogger(__name__)


class Engine:
    """The queues of a namespace and their changes; for `Broker` only."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._opening = asyncio.Lock()
        self._recheck = asyncio.Event()
        self._asleep_until_us: int | None = None
        self._timer: asyncio.Task[None] | None = None
        self.queues: dict[str, tuple[SubQueue, SubQueue]] = {}
        self.recent = RecentBodies()
        self.is_stopped = False

    def start(self) -> None:
        """Let time pass from now on."""
        self._timer = asyncio.create_task(self._keep_time(), name="servicebus-timer")

    async def stop(self) -> None:
        """Stop time, and let every waiting receiver go home empty-handed."""
        self.is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)
        for pair in self.queues.values():
            for queue in pair:
                queue.wake(len(queue.waiters))

    def poke(self) -> None:
        """Look at the clock now."""
        self._recheck.set()

    # -- queues --

    def pair(self, name: str) -> tuple[SubQueue, SubQueue]:
        """A queue and its dead-letter queue; raises QueueNotFound."""
        pair = self.queues.get(name.lower())
        if pair is None:
            raise QueueNotFound(name)
        return pair

    def resolve(self, path: str) -> SubQueue:
        """The receivable end that a path names, in any case; raises QueueNotFound."""
        if path.lower().endswith(_DEAD_LETTER_SUFFIX):
            return self.pair(path[: -len(_DEAD_LETTER_SUFFIX)])[1]
        return self.pair(path)[0]

    async def open(self, settings: QueueSettings) -> None:
        """Open a queue with all that is in it, unless it is open."""
        async with self._opening:
            if settings.name.lower() in self.queues:
                return
            number, name = await self._database.write(
                lambda connection: store.open_queue(connection, settings.name)
            )
            slots, dead_slots = await self._database.read(
                lambda connection: (
                    store.load_slots(connection, number, False),
                    store.load_slots(connection, number, True),
                )
            )
            lock_us = int(settings.lock_duration_s * 1e6)
            model = QueueModel(lock_us, settings.max_delivery_count, settings.requires_session)
            main = SubQueue(name, number, False, settings, model)
            dead = SubQueue(name, number, True, settings, QueueModel(lock_us, None))
            self.queues[name.lower()] = (main, dead)
        for slot in dead_slots:
            slot.session_id = ""
            dead.model.add(slot)
        self._load(main, slots)

    def _load(self, queue: SubQueue, slots: list[Slot]) -> None:
        exhausted: list[Slot] = []
        for slot in slots:
            if (
                slot.state is State.ACTIVE
                and slot.delivery_count >= queue.settings.max_delivery_count
            ):
                slot.state = State.IN_TRANSIT
                exhausted.append(slot)
            queue.model.add(slot)
        self.bring_back(queue, exhausted)

    # -- settling --

    def record_deliveries(self, counts: list[tuple[int, int]]) -> None:
        """Write delivery counts without waiting; see the module's text for why that is enough."""
        self.commit(
            lambda connection: store.record_deliveries(connection, counts),
            lambda _: None,
            lambda: _log.warning("The delivery counts of %d messages were not kept.", len(counts)),
        )

    def lose_locks(self, queue: SubQueue, tokens: Iterable[str]) -> None:
        """Give locked messages back as if their receivers had gone."""
        for token in tokens:
            try:
                slot = queue.model.settle(token, self.now_us())
            except MessageLockLost:
                continue  # it ran out meanwhile, and the message is on its way back already
            self.give_back(queue, [slot])

    def settle(self, queue: SubQueue, lock_token: str) -> Slot:
        """Use up a lock; its message is IN_TRANSIT. Raises MessageLockLost."""
        return queue.model.settle(lock_token, self.advance(queue))

    async def delete(self, queue: SubQueue, slots: list[Slot]) -> None:
        """Take messages IN_TRANSIT away for good; they come back if that cannot be written."""
        keys = [queue.key(slot) for slot in slots]
        await asyncio.shield(
            self.commit(
                lambda connection: store.delete(connection, keys),
                lambda _: self._forget(queue, slots),
                lambda: self.bring_back(queue, slots),
            )
        )

    async def complete(self, queue: SubQueue, lock_token: str) -> None:
        """Take a locked message away for good; its lock stays as it was if that is not written."""
        slot = self.settle(queue, lock_token)
        keys = [queue.key(slot)]
        await asyncio.shield(
            self.commit(
                lambda connection: store.delete(connection, keys),
                lambda _: self._forget(queue, [slot]),
                lambda: self._keep_lock(queue, slot, lock_token),
            )
        )

    def _keep_lock(self, queue: SubQueue, slot: Slot, lock_token: str) -> None:
        # Freed at once, a message that was handled would use up its deliveries on a full disk.
        if queue.model.lock_again(slot, lock_token, self.now_us()):
            self.mind(queue)
        else:
            self._later(lambda: self.bring_back(queue, [slot]))

    def _forget(self, queue: SubQueue, slots: Iterable[Slot]) -> None:
        for slot in slots:
            queue.model.remove(slot)
            self.recent.discard(queue.key(slot))

    def bury(
        self, queue: SubQueue, slots: list[Slot], reason: str | None, description: str | None
    ) -> "asyncio.Future[None]":
        """Move messages IN_TRANSIT to the dead-letter queue."""
        keys = [queue.key(slot) for slot in slots]

        def moved(_: None) -> None:
            dead = self.pair(queue.name)[1]
            self._forget(queue, slots)
            for slot in slots:
                dead.model.add(Slot(slot.sequence_number, slot.delivery_count))
            dead.wake(len(slots))

        return self.commit(
            lambda connection: store.move_to_dead_letter(connection, keys, reason, description),
            moved,
            lambda: self._later(lambda: self.bring_back(queue, slots)),
        )

    def give_back(self, queue: SubQueue, slots: list[Slot]) -> "asyncio.Future[None]":
        """Free messages once their delivery counts are on disk: the module's text says why."""
        counts = [(slot.delivery_count, queue.key(slot)) for slot in slots]
        return self.commit(
            lambda connection: store.record_deliveries(connection, counts),
            lambda _: self.bring_back(queue, slots),
            lambda: self._later(lambda: self.give_back(queue, slots)),
        )

    def bring_back(self, queue: SubQueue, slots: Iterable[Slot]) -> None:
        """Free messages, or do away with those that had their time or their deliveries."""
        now_us = self.now_us()
        returned = 0
        for slot in slots:
            fate = queue.model.put_back(slot, now_us)
            if fate is Fate.EXHAUSTED:
                text = exhausted_description(slot.delivery_count)
                self.bury(queue, [slot], EXHAUSTED_REASON, text)
            elif fate is Fate.EXPIRED:
                self._expire(queue, [slot])
            else:
                returned += 1
        queue.wake(returned)
        self.mind(queue)

    def _expire(self, queue: SubQueue, slots: list[Slot]) -> None:
        if queue.settings.dead_letter_on_expiration:
            self.bury(queue, slots, EXPIRED_REASON, EXPIRED_DESCRIPTION)
            return
        keys = [queue.key(slot) for slot in slots]
        self.commit(
            lambda connection: store.delete(connection, keys),
            lambda _: self._forget(queue, slots),
            lambda: self._later(lambda: self.bring_back(queue, slots)),
        )

    def _activate(self, queue: SubQueue, slots: list[Slot]) -> None:
        keys = [queue.key(slot) for slot in slots]
        now_us = self.now_us()

        def enqueued(_: None) -> None:
            for key in keys:
                self.recent.discard(key)
            self.bring_back(queue, slots)

        self.commit(
            lambda connection: store.activate(connection, keys, now_us),
            enqueued,
            lambda: self._later(lambda: self._activate(queue, slots)),
        )

    def take_in(self, queue: SubQueue, accepted: list[store.Accepted]) -> None:
        """Let receivers see what was sent."""
        arrived = 0
        for each in accepted:
            if each.slot is not None and each.stored is not None:
                self.recent.put(queue.key(each.slot), each.stored)
                queue.model.add(each.slot)
                arrived += each.slot.state is State.ACTIVE
        queue.wake(arrived)
        self.mind(queue)

    # -- disk --

    def commit(
        self,
        work: Callable[[Any], T],
        on_kept: Callable[[T], None],
        on_lost: Callable[[], None],
    ) -> "asyncio.Future[T]":
        """Queue a change; the model follows what became of it, even if nobody awaits it any more.

        Await it through `asyncio.shield`: a caller that goes away must not cancel the write.
        """
        future = self._database.submit(work)

        def settled(done: "asyncio.Future[T]") -> None:
            if done.cancelled() or done.exception() is not None:
                on_lost()
            else:
                on_kept(done.result())

        future.add_done_callback(settled)
        return future

    def _later(self, action: Callable[[], object]) -> None:
        if not self.is_stopped:
            _log.error("The Service Bus queues cannot be written; trying again.")
            asyncio.get_running_loop().call_later(_RETRY_S, action)

    # -- time --

    def now_us(self) -> int:
        """The time, in microseconds."""
        return to_us(self._clock.now())

    def advance(self, queue: SubQueue) -> int:
        """Do what time has brought to a queue; the time."""
        now_us = self.now_us()
        due = queue.model.advance(now_us)
        if due.released or due.has_free_session:
            self.give_back(queue, due.released)
        if due.expired:
            self._expire(queue, due.expired)
        if due.activated:
            self._activate(queue, due.activated)
        return now_us

    def mind(self, queue: SubQueue) -> None:
        """Wake the timer if this queue has something due before it would look."""
        due_us = queue.model.next_due_us()
        if due_us is not None and (self._asleep_until_us is None or due_us < self._asleep_until_us):
            self._recheck.set()

    async def _keep_time(self) -> None:
        """Sleep until the next lock, time to live or schedule of any queue is due."""
        while True:
            self._recheck.clear()
            now_us = self.now_us()
            dues: list[int] = []
            for pair in list(self.queues.values()):
                for queue in pair:
                    self.advance(queue)
                    due_us = queue.model.next_due_us()
                    if due_us is not None:
                        dues.append(due_us)
            self._asleep_until_us = min(dues, default=None)
            sleep_s = None
            if self._asleep_until_us is not None:
                sleep_s = max(0, self._asleep_until_us - now_us) / 1e6
            try:
                async with asyncio.timeout(sleep_s):
                    await self._recheck.wait()
            except TimeoutError:
                continue
