"""What may happen to a message: the states of one queue, or of one dead-letter queue.

Pure: it is handed `now` and tokens, holds no bodies, and tells what changed; `broker` makes it
durable. A change that must be on disk before it may be seen goes through the state IN_TRANSIT:
the message is in nobody's hands until the broker says `remove` or `put_back`.

    SCHEDULED --due--> IN_TRANSIT --put_back--> ACTIVE --take--> LOCKED --settle--> IN_TRANSIT
    LOCKED --lock runs out--> IN_TRANSIT        ACTIVE --time to live runs out--> IN_TRANSIT
    IN_TRANSIT --defer--> DEFERRED --take_deferred--> LOCKED

A failed delivery is an abandoned message or a lock that ran out. The delivery count rises when a
message is locked. Order is by sequence number, so what comes back comes back to its place.

Source: Service Bus documentation, "Message transfers, locks, and settlement" and "Dead-letter
queues".
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from emulator.servicebus.deadlines import Deadlines
from emulator.servicebus.errors import MessageLockLost, MessageNotFound
from emulator.servicebus.sessions import SessionLock, SessionLocks

EXHAUSTED_REASON = "MaxDeliveryCountExceeded"
EXPIRED_REASON = "TTLExpiredException"
EXPIRED_DESCRIPTION = "The message expired and was dead lettered."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Microseconds since 1970 of an instant with its zone."""
    return (instant - _EPOCH) // _MICROSECOND


def from_us(instant_us: int) -> datetime:
    """The instant, in UTC."""
    return _EPOCH + instant_us * _MICROSECOND


def exhausted_description(delivery_count: int) -> str:
    """Why a message that was delivered too often is in the dead-letter queue."""
    return f"Message could not be consumed after {delivery_count} delivery attempts."


class State(Enum):
    """Where a message is; the values are what the store keeps of those that outlive a process."""

    ACTIVE = 0
    SCHEDULED = 1
    DEFERRED = 2
    LOCKED = 3
    IN_TRANSIT = 4


class Fate(Enum):
    """What becomes of a message that comes back."""

    RETURNED = "returned"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"


@dataclass(slots=True)
class Slot:
    """What is kept in memory of each message of a queue: no body, no properties."""

    sequence_number: int
    delivery_count: int = 0
    expires_us: int | None = None
    scheduled_us: int | None = None
    session_id: str = ""
    state: State = State.ACTIVE
    was_deferred: bool = False
    lock_token: str = ""
    locked_until_us: int = 0


@dataclass
class Due:
    """What time has done: every message named here is IN_TRANSIT."""

    released: list[Slot] = field(default_factory=list)
    expired: list[Slot] = field(default_factory=list)
    activated: list[Slot] = field(default_factory=list)
    has_free_session: bool = False


class QueueModel:
    """One queue, or one dead-letter queue.

    Args:
        lock_duration_us: how long a lock holds.
        max_delivery_count: None in a dead-letter queue, where nothing is exhausted.
        requires_session: messages are only handed to who holds their session.
    """

    def __init__(
        self, lock_duration_us: int, max_delivery_count: int | None, requires_session: bool = False
    ) -> None:
        self.requires_session = requires_session
        self._lock_duration_us = lock_duration_us
        self._max_delivery_count = max_delivery_count
        self._slots: dict[int, Slot] = {}
        self._lanes: dict[str, list[int]] = {}
        self._by_token: dict[str, Slot] = {}
        self._deadlines = Deadlines()
        self._sessions = SessionLocks(lock_duration_us)
        self._counts: Counter[State] = Counter()

    def count(self, state: State) -> int:
        """How many messages are in a state."""
        return self._counts[state]

    def state_of(self, sequence_number: int) -> State | None:
        """The state of a message; None if the queue does not hold it."""
        slot = self._slots.get(sequence_number)
        return None if slot is None else slot.state

    def next_due_us(self) -> int | None:
        """When `advance` has something to do again."""
        return min(
            (due for due in (self._deadlines.next_us(), self._sessions.next_us()) if due),
            default=None,
        )

    def add(self, slot: Slot) -> None:
        """Take in a message that is on disk."""
        self._slots[slot.sequence_number] = slot
        self._counts[slot.state] += 1
        self._enter(slot, slot.state)

    def advance(self, now_us: int) -> Due:
        """Let time pass: locks and times to live run out, scheduled messages come due."""
        due = Due()
        for sequence_number in list(self._deadlines.pop_due(now_us)):
            slot = self._slots[sequence_number]
            outcome = {
                State.LOCKED: due.released,
                State.SCHEDULED: due.activated,
                State.ACTIVE: due.expired,
            }[slot.state]
            self._move_out(slot)
            outcome.append(slot)
        for slot in due.expired:
            self._first(slot.session_id)
        for lock in self._sessions.pop_due(now_us):
            due.released += self._drop_session(lock.session_id)
            due.has_free_session = True
        return due

    def take(
        self, now_us: int, limit: int, make_token: Callable[[], str], session_id: str = ""
    ) -> list[Slot]:
        """Lock up to `limit` of the first messages, with one more delivery each."""
        lane = self._lanes.get(session_id, [])
        taken: list[Slot] = []
        while lane and len(taken) < limit:
            slot = self._slots.get(heapq.heappop(lane))
            if slot is not None and slot.state is State.ACTIVE:
                taken.append(self._lock(slot, make_token(), now_us))
        if not lane:
            self._lanes.pop(session_id, None)
        return taken

    def take_deferred(
        self, now_us: int, sequence_numbers: Sequence[int], make_token: Callable[[], str]
    ) -> list[Slot]:
        """Lock deferred messages by their numbers, all or none.

        Raises:
            MessageNotFound: a number is not that of a deferred message.
        """
        for number in sequence_numbers:
            if self.state_of(number) is not State.DEFERRED:
                raise MessageNotFound(number)
        taken = [self._slots[number] for number in dict.fromkeys(sequence_numbers)]
        for slot in taken:
            slot.was_deferred = True
            self._lock(slot, make_token(), now_us)
        return taken

    def settle(self, token: str, now_us: int) -> Slot:
        """Use up a lock: its message is IN_TRANSIT afterwards and the token is worthless.

        Raises:
            MessageLockLost: the token is unknown, used up, or ran out.
        """
        slot = self._locked(token, now_us)
        self._move_out(slot)
        return slot

    def lock_again(self, slot: Slot, token: str, now_us: int) -> bool:
        """Give a message IN_TRANSIT the lock back that it had; False if that has run out.

        Also False in a session, whose lock may have gone meanwhile.
        """
        if self.requires_session or slot.locked_until_us <= now_us:
            return False
        self._move(slot, State.LOCKED)
        slot.lock_token = token
        self._by_token[token] = slot
        self._deadlines.set(slot.sequence_number, slot.locked_until_us)
        return True

    def renew(self, token: str, now_us: int) -> int:
        """Hold a lock for another lock duration from now; until when. Raises as `settle`."""
        slot = self._locked(token, now_us)
        slot.locked_until_us = now_us + self._lock_duration_us
        self._deadlines.set(slot.sequence_number, slot.locked_until_us)
        return slot.locked_until_us

    def cancel_scheduled(self, sequence_number: int) -> Slot:
        """Take out a scheduled message; it is IN_TRANSIT.

        Raises:
            MessageNotFound: no scheduled message has this number.
        """
        slot = self._slots.get(sequence_number)
        if slot is None or slot.state is not State.SCHEDULED:
            raise MessageNotFound(sequence_number)
        self._move_out(slot)
        return slot

    def remove(self, slot: Slot) -> None:
        """Forget a message that is IN_TRANSIT: it is off the disk, or in the other queue."""
        del self._slots[slot.sequence_number]
        self._counts[slot.state] -= 1

    def put_back(self, slot: Slot, now_us: int) -> Fate:
        """Bring back a message that is IN_TRANSIT, unless it has had its time or its deliveries."""
        if self._max_delivery_count is not None:
            if slot.delivery_count >= self._max_delivery_count:
                return Fate.EXHAUSTED
            if slot.expires_us is not None and slot.expires_us <= now_us and not slot.was_deferred:
                return Fate.EXPIRED
        self._enter(slot, State.DEFERRED if slot.was_deferred else State.ACTIVE)
        return Fate.RETURNED

    def defer(self, slot: Slot) -> None:
        """Set a message that is IN_TRANSIT aside until it is asked for by number."""
        self._enter(slot, State.DEFERRED)

    def accept_session(self, session_id: str | None, token: str, now_us: int) -> SessionLock | None:
        """Lock a session, or the one with the oldest message; None if there is none to be had."""
        if session_id is not None:
            return self._sessions.accept([session_id], token, now_us)
        first = {name: self._first(name) for name in list(self._lanes)}
        waiting = sorted((number, name) for name, number in first.items() if number is not None)
        return self._sessions.accept([name for _, name in waiting], token, now_us)

    def check_session(self, session_id: str, token: str, now_us: int) -> SessionLock:
        """The session's lock if it still holds; raises SessionLockLost."""
        return self._sessions.check(session_id, token, now_us)

    def renew_session(self, session_id: str, token: str, now_us: int) -> SessionLock:
        """Hold a session for another lock duration from now; raises SessionLockLost."""
        return self._sessions.renew(session_id, token, now_us)

    def release_session(self, session_id: str, token: str) -> list[Slot]:
        """Give a session up; what was locked in it, now IN_TRANSIT."""
        return self._drop_session(session_id) if self._sessions.release(session_id, token) else []

    def _locked(self, token: str, now_us: int) -> Slot:
        slot = self._by_token.get(token)
        # A lock inside a session lives as long as the session's, which `advance` sees to.
        if slot is None or (not self.requires_session and slot.locked_until_us <= now_us):
            raise MessageLockLost
        return slot

    def _lock(self, slot: Slot, token: str, now_us: int) -> Slot:
        self._move(slot, State.LOCKED)
        slot.delivery_count += 1
        slot.lock_token = token
        slot.locked_until_us = now_us + self._lock_duration_us
        self._by_token[token] = slot
        due_us = None if self.requires_session else slot.locked_until_us
        self._deadlines.set(slot.sequence_number, due_us)
        return slot

    def _move_out(self, slot: Slot) -> None:
        self._by_token.pop(slot.lock_token, None)
        slot.lock_token = ""
        self._move(slot, State.IN_TRANSIT)
        self._deadlines.set(slot.sequence_number, None)

    def _enter(self, slot: Slot, state: State) -> None:
        self._move(slot, state)
        if state is State.ACTIVE:
            heapq.heappush(self._lanes.setdefault(slot.session_id, []), slot.sequence_number)
        due_us = {State.ACTIVE: slot.expires_us, State.SCHEDULED: slot.scheduled_us}.get(state)
        self._deadlines.set(slot.sequence_number, due_us)

    def _move(self, slot: Slot, state: State) -> None:
        self._counts[slot.state] -= 1
        self._counts[state] += 1
        slot.state = state

    def _first(self, session_id: str) -> int | None:
        lane = self._lanes.get(session_id, [])
        while lane and self.state_of(lane[0]) is not State.ACTIVE:
            heapq.heappop(lane)
        if not lane:
            self._lanes.pop(session_id, None)
            return None
        return lane[0]

    def _drop_session(self, session_id: str) -> list[Slot]:
        dropped = [slot for slot in self._by_token.values() if slot.session_id == session_id]
        for slot in dropped:
            self._move_out(slot)
        return dropped
