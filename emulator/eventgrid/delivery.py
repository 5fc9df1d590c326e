"""Delivers what was published to whoever subscribed: at least once, again until it is taken.

An event that is not taken is tried again on the service's schedule; after the subscription's
attempts or time it is a dead letter, which is kept and listed. Called by the host.

Fault point: `eventgrid.deliver` (labels `subscription`, `topic`; `duplicate` delivers twice, as the
service may).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
        self._under_way: asyncio.Future[Any] | None = None

    def start(self, deliver: Deliver) -> None:
        """Begin to deliver; `deliver` raises where an event is not taken."""
        self._task = asyncio.create_task(self._run(deliver), name="event-grid-deliveries")

    async def stop(self) -> None:
        """Begin no more deliveries, and wait for those under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._under_way is not None:
            await asyncio.gather(self._under_way, return_exceptions=True)

    def poke(self) -> None:
        """Look at the clock now: for a test that has moved it."""
        self._noted.set()

    async def pending(self) -> list[Delivery]:
        """Everything that is not delivered, dead letters among it."""
        return await self._database.read(lambda connection: _select(connection, None, 1000))

    async def _run(self, deliver: Deliver) -> None:
        while True:
            self._noted.clear()
            sleep_s: float | None = _AGAIN_S
            try:
                while await self._deliver_due(deliver):
                    continue
                due_us = await self._database.read(_next_due_us)
                sleep_s = None if due_us is None else max(0.0, (due_us - self._now_us()) / 1e6)
            except StorageError as error:
                _log.error("Deliveries of events cannot be written: %s", error)
            try:
                async with asyncio.timeout(sleep_s):
                    await self._noted.wait()
            except TimeoutError:
                continue

    async def _deliver_due(self, deliver: Deliver) -> bool:
        now_us = self._now_us()
        due = await self._database.read(lambda connection: _select(connection, now_us, _PARALLEL))
        self._under_way = asyncio.gather(*(self._deliver_one(each, deliver) for each in due))
        # Shielded: a stop lets what is under way come to its end.
        await asyncio.shield(self._under_way)
        return bool(due)

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


def _select(connection: sqlite3.Connection, due_us: int | None, limit: int) -> list[Delivery]:
    where = "" if due_us is None else "WHERE delivery.due_us <= ?"
    rows = connection.execute(
        "SELECT number, subscription, attempts, reason, event.sequence, topic, schema, "  # noqa: S608 - fixed texts
        f"received_us, event FROM delivery JOIN event USING (sequence) {where} "
        "ORDER BY number LIMIT ?",
        [*([] if due_us is None else [due_us]), limit],
    )
    return [
        Delivery(number, subscription, attempts, reason, store.published(row))
        for number, subscription, attempts, reason, *row in rows
    ]


def _next_due_us(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT MIN(due_us) FROM delivery").fetchone()
    return None if row[0] is None else int(row[0])


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
