"""Feeds a Service Bus trigger: receives, invokes, settles.

A message at a time with up to `maxConcurrentCalls` in flight, or in batches one after the other.
A failure is abandoned at once and comes back at once: the host adds no delay, and ten deliveries
are soon over. When the host stops, it receives no more and waits for what is in flight. Queues with
sessions are fed by `servicebus_sessions`.

Source: the Service Bus extension.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from emulator.clock import Clock
from emulator.database import StorageError
from emulator.host.functions import Function
from emulator.host.host_json import ServiceBusOptions
from emulator.host.invocations import Invocations, Outcome, Request
from emulator.host.log import Log
from emulator.host.metadata import (
    UnfitBody,
    binding_data,
    has_gaps,
    service_bus_batch,
    service_bus_message,
)
from emulator.servicebus import Broker, ReceivedMessage
from emulator.servicebus.errors import ServiceBusError

# A receive returns as soon as something arrives; this only bounds one wait.
WAIT_S = 60.0
Receive = Callable[[int, float], Awaitable[Sequence[ReceivedMessage]]]
# The share of a lock's time after which it is renewed.
_RENEW_AFTER = 0.5
# The retries of Azure.Messaging.ServiceBus: three, exponentially from 0.8 s.
_SETTLE_AGAIN_S = (0.8, 1.6, 3.2)


@dataclass(frozen=True)
class Feed:
    """What a Service Bus listener works with.

    Attributes:
        path: the queue, or its dead-letter queue.
        warned: what has been warned of once.
    """

    function: Function
    path: str
    broker: Broker
    invocations: Invocations
    options: ServiceBusOptions
    log: Log
    clock: Clock
    warned: list[str] = field(default_factory=list)

    @property
    def auto_complete(self) -> bool:
        trigger = self.function.trigger
        return trigger.flag("autoCompleteMessages", self.options.auto_complete)

    @property
    def in_batches(self) -> bool:
        return (self.function.trigger.text("cardinality") or "one").lower() == "many"

    @property
    def category(self) -> str:
        return f"Function.{self.function.name}"


class LockRenewal:
    """Keeps one message locked until `end` is called or the renewal time is over."""

    def __init__(self, feed: Feed, message: ReceivedMessage) -> None:
        self._feed = feed
        self._token = message.lock_token
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + feed.options.max_lock_renewal_s
        self._task: asyncio.Task[None] | None = None
        self._timer = self._wait_for(message.locked_until)

    def _wait_for(self, locked_until: datetime) -> asyncio.TimerHandle | None:
        left_s = (locked_until - self._feed.clock.now()).total_seconds()
        delay_s = max(0.0, left_s * _RENEW_AFTER)
        if self._loop.time() + delay_s > self._until:
            return None
        return self._loop.call_later(delay_s, self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._renew())

    async def _renew(self) -> None:
        try:
            self._timer = self._wait_for(
                await self._feed.broker.renew(self._feed.path, self._token)
            )
        except ServiceBusError as error:
            self._feed.log.error(
                f"Renewing the lock of a message of '{self._feed.path}' failed: {error}",
                "Host.Listener",
            )

    def end(self) -> None:
        """Renew no more."""
        for running in (self._timer, self._task):
            if running is not None:
                running.cancel()


def request_of(feed: Feed, message: ReceivedMessage) -> Request:
    """The invocation that a single message asks for."""
    trigger = feed.function.trigger
    datum, metadata = service_bus_message(message, trigger.name, trigger.data_type)
    return Request(
        function=feed.function,
        trigger=datum,
        metadata=metadata,
        details=lambda: _details(message),
        trace_parent=_trace_parent(message.application_properties),
        data=lambda: binding_data(metadata),
    )


def _details(message: ReceivedMessage) -> str:
    return (
        f"MessageId: {message.message_id}, SequenceNumber: {message.sequence_number}, "
        f"DeliveryCount: {message.delivery_count}, "
        f"EnqueuedTimeUtc: {_round_trip(message.enqueued_time)}, "
        f"LockedUntilUtc: {_round_trip(message.locked_until)}, "
        f"SessionId: {message.session_id or '(null)'}"
    )


def _round_trip(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+", "0+")


def _trace_parent(properties: Mapping[str, Any]) -> str:
    found = properties.get("Diagnostic-Id")
    return found if isinstance(found, str) else ""


async def settle(feed: Feed, message: ReceivedMessage, outcome: Outcome) -> None:
    """Complete what succeeded, abandon what failed; a lock that is lost is logged.

    A broker that cannot write is asked again, as the extension's client does; the lock holds on.
    """
    for pause_s in (*_SETTLE_AGAIN_S, None):
        try:
            await _settle(feed, message, outcome)
        except StorageError:
            if pause_s is None:
                raise
            await asyncio.sleep(pause_s)
        else:
            return


async def _settle(feed: Feed, message: ReceivedMessage, outcome: Outcome) -> None:
    try:
        if not outcome.ok:
            await feed.broker.abandon(feed.path, message.lock_token)
        elif feed.auto_complete:
            await feed.broker.complete(feed.path, message.lock_token)
    except ServiceBusError as error:
        feed.log.error(
            f"Message processing error (Action={'Complete' if outcome.ok else 'Abandon'}, "
            f"EntityPath={feed.path}): {error.code}: {error}",
            feed.category,
        )


async def receive(feed: Feed, count: int, wait_s: float = WAIT_S) -> Sequence[ReceivedMessage]:
    """What has arrived, at most `count`; nothing when receiving failed, which is logged."""
    try:
        return await feed.broker.receive(feed.path, count, wait_s)
    except Exception as error:  # noqa: BLE001 - a fault of the broker must not end the listener
        feed.log.error(f"Receiving from '{feed.path}' failed: {error}", "Host.Listener")
        await asyncio.sleep(1)
        return ()


async def gather_batch(feed: Feed, wait: Receive, wait_s: float = WAIT_S) -> list[ReceivedMessage]:
    """What has arrived, and for a time what it lacks of the smallest batch."""
    options = feed.options
    loop = asyncio.get_running_loop()
    batch = list(await wait(options.max_batch_size, wait_s))
    least = min(options.min_batch_size, options.max_batch_size)
    deadline = loop.time() + options.max_batch_wait_s
    while batch and len(batch) < least and (left := deadline - loop.time()) > 0:
        batch += await wait(options.max_batch_size - len(batch), left)
    return batch


async def run_batch(feed: Feed, batch: Sequence[ReceivedMessage]) -> None:
    """Run the function for a batch, and settle all of it alike."""
    outcome = await _invoke_batch(feed, batch)
    await asyncio.gather(*(settle(feed, message, outcome) for message in batch))


async def _invoke_batch(feed: Feed, batch: Sequence[ReceivedMessage]) -> Outcome:
    try:
        datum, metadata = service_bus_batch(batch, feed.function.trigger.data_type)
    except UnfitBody as error:
        feed.log.error(f"Exception binding parameters of '{feed.function.title}': {error}")
        return Outcome("", error=str(error))
    if not feed.warned and has_gaps(batch):
        feed.warned.append("gaps")
        feed.log.warning(
            f"'{feed.function.title}': messages of a batch differ in which properties they have. "
            "The host drops missing values, so the others shift to earlier messages.",
            feed.category,
        )
    return await feed.invocations.run_with_retries(
        Request(
            function=feed.function,
            trigger=datum,
            metadata=metadata,
            details=lambda: f"{len(batch)} messages of '{feed.path}'",
            data=lambda: binding_data(metadata),
        )
    )


class Flight:
    """What is being handled: counted, waited for, and its faults told."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._landed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Handle something in a task of its own."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._landed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The message stays locked and comes back when its lock runs out.
            self._log.error(f"A message could not be handled: {error!r}", "Host.Listener")

    async def wait_below(self, limit: int) -> None:
        """Return when fewer than `limit` are in flight."""
        while len(self._tasks) >= limit:
            self._landed.clear()
            await self._landed.wait()

    async def wait_all(self) -> None:
        """Return when nothing is in flight."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


class ServiceBusListener:
    """The listener of one function on a queue without sessions."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._flight = Flight(feed.log)
        self._receiver: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to receive."""
        loop = self._receive_batches() if self._feed.in_batches else self._receive_singly()
        self._receiver = asyncio.create_task(loop, name=f"receive {self._feed.path}")

    async def stop(self) -> None:
        """Receive no more, and wait for what is in flight."""
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)
        await self._flight.wait_all()

    async def _receive_singly(self) -> None:
        limit = self._feed.options.max_concurrent_calls
        while True:
            await self._flight.wait_below(limit)
            for message in await receive(self._feed, limit - len(self._flight)):
                self._flight.begin(self._run_one(message))

    async def _run_one(self, message: ReceivedMessage) -> None:
        renewal = LockRenewal(self._feed, message)
        try:
            outcome = await self._feed.invocations.run_with_retries(request_of(self._feed, message))
        finally:
            renewal.end()
        await settle(self._feed, message, outcome)

    async def _receive_batches(self) -> None:
        while True:
            if batch := await gather_batch(self._feed, partial(receive, self._feed)):
                # Shielded: a stop lets the batch in flight come to its end.
                await asyncio.shield(self._flight.begin(run_batch(self._feed, batch)))
