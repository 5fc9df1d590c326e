"""Delivers what was published to whoever subscribed: at least once, again until it is taken.

An event that is not taken is tried again on the service's schedule; after the subscription's
attempts or time it is a dead letter, which is kept and listed. Called by the host.

Fault point: `eventgrid.deliver` (labels `subscription`, `topic`; `duplicate` delivers twice, as the
service may).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from emulator.clock import Clock
from emulator.database import Database, StorageError
from emulator.eventgrid import store
from emulator.eventgrid.model import PublishedEvent
from emulator.eventgrid.subscriptions import Subscription
from emulator.faults import Faults

# What is under way at once.
_PARALLEL = 16
_AGAIN_S = 1.0
_log = logging.getLogger(__name__)

Deliver = Callable[[Subscription, Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Delivery:
    """An event that a subscription is still to be given, or was not (then there is a reason)."""

    number: int
    subscription: str
    attempts: int
    reason: str | None
    published: PublishedEvent


class Courier:
    """Delivers the events of one file.

    Args:
        noted: set by whoever keeps a new event.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        faults: Faults,
        subscriptions: Mapping[str, Subscription],
        noted: asyncio.Event,
    ) -> None:
        self._database = database
        self._clock = clock
        self._faults = faults
        self._subscriptions = subscriptions
        self._noted = noted
        self._task: asyncio.Task[None] | None = None
        self._under_way: dict[int, asyncio.Task[None]] = {}

    def start(self, deliver: Deliver) -> None:
        """Begin to deliver; `deliver` raises where an event is not taken."""
        self._task = asyncio.create_task(self._run(deliver), name="event-grid-deliveries")

    async def stop(self) -> None:
        """Begin no more deliveries, and wait for those under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def poke(self) -> None:
        """Look at the clock now: for a test that has moved it."""
        self._noted.set()

    async def pending(self) -> list[Delivery]:
        """Everything that is not delivered, dead letters among it."""
        return await self._database.read(lambda connection: _all(connection, 1000))

    async def _run(self, deliver: Deliver) -> None:
        while True:
            self._noted.clear()
            try:
                sleep_s = await self._begin_due(deliver)
            except StorageError as error:
                _log.error("Deliveries of events cannot be read: %s", error)
                sleep_s = _AGAIN_S
            try:
                async with asyncio.timeout(sleep_s):
                    await self._noted.wait()
            except TimeoutError:
                continue

    async def _begin_due(self, deliver: Deliver) -> float | None:
        """Begin what is due and has room; returns when to look again, None for "when told to"."""
        room = _PARALLEL - len(self._under_way)
        if not room:
            return None
        # What ends while this reads may be read as pending still.
        busy = sorted(self._under_way)
        found = await self._database.read(lambda connection: _first(connection, busy, room))
        now_us = self._now_us()
        for due_us, delivery in found:
            if due_us > now_us:
                return (due_us - now_us) / 1e6
            task = asyncio.create_task(self._deliver_one(delivery, deliver))
            self._under_way[delivery.number] = task
            task.add_done_callback(partial(self._ended, delivery.number))
        # There may be more that is due.
        return 0.0 if len(found) == room and len(self._under_way) < _PARALLEL else None

    def _ended(self, number: int, task: "asyncio.Task[None]") -> None:
        del self._under_way[number]
        if task.cancelled() or (error := task.exception()) is None:
            self._noted.set()
            return
        # It is delivered again, and not at once: the file may be full for a while.
        _log.error("A delivery of an event could not be noted: %s", error)
        asyncio.get_running_loop().call_later(_AGAIN_S, self._noted.set)

    async def _deliver_one(self, delivery: Delivery, deliver: Deliver) -> None:
        subscription = self._subscriptions.get(delivery.subscription)
        number, published = delivery.number, delivery.published
        if subscription is None:  # the entities file has it no more
            await self._database.write(lambda connection: _delivered(connection, number))
            return
        labels = {"subscription": subscription.name, "topic": published.topic}
        try:
            is_doubled = await self._faults.at("eventgrid.deliver", **labels)
            for _ in range(2 if is_doubled else 1):
                await deliver(subscription, published.event)
        except Exception as error:  # noqa: BLE001 - it is tried again, and said
            await self._put_off(delivery, subscription, error)
            return
        await self._database.write(lambda connection: _delivered(connection, number))

    async def _put_off(
        self, delivery: Delivery, subscription: Subscription, error: Exception
    ) -> None:
        attempts = delivery.attempts + 1
        now = self._clock.now()
        age_s = (now - delivery.published.received_at).total_seconds()
        reason = subscription.given_up(attempts, age_s)
        pause_s = subscription.pause_s(attempts)
        due_us = None if reason else store.to_us(now) + pause_s * 1_000_000
        what = f"is dead-lettered ({reason})" if reason else f"is tried again in {pause_s} s"
        _log.warning(
            "An event for the subscription '%s' was not taken and %s: %s",
            subscription.name,
            what,
            error,
        )
        await self._database.write(
            lambda connection: _put_off(connection, delivery.number, attempts, due_us, reason)
        )

    def _now_us(self) -> int:
        return store.to_us(self._clock.now())


_COLUMNS = (
    "due_us, number, subscription, attempts, reason, event.sequence, topic, schema, received_us, "
    "event"
)


def _first(
    connection: sqlite3.Connection, without: Sequence[int], limit: int
) -> list[tuple[int, Delivery]]:
    """What is to be delivered next, but for those numbers, each with when it is due."""
    marks = ", ".join("?" * len(without))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM delivery JOIN event USING (sequence) "  # noqa: S608 - fixed texts
        f"WHERE due_us IS NOT NULL AND number NOT IN ({marks}) ORDER BY due_us, number LIMIT ?",
        [*without, limit],
    )
    return [(row[0], _delivery(row)) for row in rows]


def _all(connection: sqlite3.Connection, limit: int) -> list[Delivery]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM delivery JOIN event USING (sequence) ORDER BY number LIMIT ?",  # noqa: S608 - fixed texts
        (limit,),
    )
    return [_delivery(row) for row in rows]


def _delivery(row: Sequence[Any]) -> Delivery:
    _, number, subscription, attempts, reason, *published = row
    return Delivery(number, subscription, attempts, reason, store.published(published))


def _delivered(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM delivery WHERE number = ?", (number,))


def _put_off(
    connection: sqlite3.Connection,
    number: int,
    attempts: int,
    due_us: int | None,
    reason: str | None,
) -> None:
    connection.execute(
        "UPDATE delivery SET attempts = ?, due_us = ?, reason = ? WHERE number = ?",
        (attempts, due_us, reason, number),
    )
