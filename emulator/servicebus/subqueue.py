"""One receivable end: a queue or its dead-letter queue, with those who wait for its messages.

Event loop only, no I/O. `broker` owns these and does what touches the disk. A bounded store of
recent bodies lives here too, so that a message that is received at once is not read back.
"""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from emulator.servicebus.messages import QueueSettings, ReceivedMessage
from emulator.servicebus.model import QueueModel, Slot, from_us
from emulator.servicebus.store import Stored, message_key

# Bodies kept for all queues together; what does not fit is read from the disk when delivered.
_RECENT_BYTES = 16 * 1024 * 1024


class RecentBodies:
    """Messages by their ids, the latest that fit."""

    def __init__(self, limit_bytes: int = _RECENT_BYTES) -> None:
        self._limit = limit_bytes
        self._held: OrderedDict[int, Stored] = OrderedDict()
        self.size_bytes = 0

    def put(self, key: int, stored: Stored) -> None:
        """Keep a message, in place of the oldest ones."""
        self.discard(key)
        self._held[key] = stored
        self.size_bytes += len(stored.body)
        while self.size_bytes > self._limit or len(self._held) > self._limit // 1024:
            self.size_bytes -= len(self._held.popitem(last=False)[1].body)

    def get(self, key: int) -> Stored | None:
        """The message, if it is still kept."""
        return self._held.get(key)

    def discard(self, key: int) -> None:
        """Forget a message that is gone or has changed."""
        stored = self._held.pop(key, None)
        if stored is not None:
            self.size_bytes -= len(stored.body)


@dataclass(eq=False)
class SubQueue:
    """A queue (`is_dead_letter` false) or its dead-letter queue."""

    name: str
    number: int
    is_dead_letter: bool
    settings: QueueSettings
    model: QueueModel
    waiters: "deque[asyncio.Future[None]]" = field(default_factory=deque)

    @property
    def path(self) -> str:
        """What a receiver calls it."""
        return f"{self.name}/$deadletterqueue" if self.is_dead_letter else self.name

    def key(self, slot: Slot) -> int:
        """The id of a message's rows."""
        return message_key(self.number, slot.sequence_number)

    def wake(self, arrived: int = 1) -> None:
        """Let as many waiters look as there are messages; all of them where sessions matter."""
        while self.waiters and (arrived > 0 or self.model.requires_session):
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                arrived -= 1

    async def arrival(self, remaining_s: float | None) -> bool:
        """Wait until something may have arrived; False if nothing did in time."""
        if remaining_s is not None and remaining_s <= 0:
            return False
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            await asyncio.wait((waiter,), timeout=remaining_s)
            return waiter.done()
        except asyncio.CancelledError:
            if waiter.done():
                self.wake()
            raise
        finally:
            if not waiter.done():
                waiter.cancel()
                self.waiters.remove(waiter)


def received(
    queue: SubQueue,
    sequence_number: int,
    stored: Stored,
    *,
    delivery_count: int,
    lock_token: str = "",
    locked_until_us: int = 0,
    state: str = "Active",
) -> ReceivedMessage:
    """A message as its receiver sees it."""
    properties = dict(stored.properties)
    application = dict(properties.pop("application_properties", {}))
    if queue.is_dead_letter:
        for name, value in (
            ("DeadLetterReason", stored.reason),
            ("DeadLetterErrorDescription", stored.description),
        ):
            if value is not None:
                application[name] = value
    return ReceivedMessage(
        queue=queue.name,
        sequence_number=sequence_number,
        message_id=stored.message_id,
        body=stored.body,
        delivery_count=delivery_count,
        enqueued_time=from_us(stored.enqueued_us),
        expires_at=None if stored.expires_us is None else from_us(stored.expires_us),
        lock_token=lock_token,
        locked_until=from_us(locked_until_us),
        state=state,
        scheduled_enqueue_time=(
            None if stored.scheduled_us is None else from_us(stored.scheduled_us)
        ),
        application_properties=application,
        dead_letter_reason=stored.reason,
        dead_letter_error_description=stored.description,
        dead_letter_source=queue.name if queue.is_dead_letter else None,
        **properties,
    )
