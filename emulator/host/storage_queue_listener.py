"""Feeds a storage queue trigger: dequeues, invokes, deletes or gives back.

Up to `batchSize` and `newBatchThreshold` messages are handled at once. A message is hidden for ten
minutes at a time while its function runs. One that fails shows again after `visibilityTimeout`; at
the last of `maxDequeueCount` failures it moves to the queue's poison queue.

Source: the Storage Queues extension. DIFFERS: an arrival is seen at once instead of by polling.
"""

import asyncio

from emulator.clock import Clock
from emulator.host.functions import Function
from emulator.host.host_json import QueueOptions
from emulator.host.invocations import Invocations, Outcome, Request
from emulator.host.log import Log
from emulator.host.metadata import binding_data, queue_message
from emulator.host.servicebus_listener import Flight
from emulator.storagequeue import Message, QueueService, QueueStorageError

_HIDDEN_S = 600.0
_WAIT_S = 60.0
_AGAIN_S = 1.0
_POISON = "-poison"


class StorageQueueListener:
    """The listener of one function."""

    def __init__(
        self,
        function: Function,
        queue: str,
        queues: QueueService,
        *,
        invocations: Invocations,
        options: QueueOptions,
        clock: Clock,
        log: Log,
    ) -> None:
        self._function = function
        self._queue = queue
        self._queues = queues
        self._invocations = invocations
        self._options = options
        self._clock = clock
        self._log = log
        self._flight = Flight(log)
        self._receiver: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to dequeue."""
        self._receiver = asyncio.create_task(self._receive(), name=f"dequeue {self._queue}")

    async def stop(self) -> None:
        """Dequeue no more, and wait for what is in flight."""
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)
        await self._flight.wait_all()

    async def _receive(self) -> None:
        limit = self._options.batch_size + self._options.new_batch_threshold
        while True:
            await self._flight.wait_below(limit)
            count = min(self._options.batch_size, limit - len(self._flight))
            try:
                found = await self._queues.receive(self._queue, count, _HIDDEN_S, _WAIT_S)
            except Exception as error:  # noqa: BLE001 - a fault of the store must not end the listener
                self._log.error(f"Dequeuing from '{self._queue}' failed: {error}", "Host.Listener")
                await asyncio.sleep(_AGAIN_S)
                continue
            for message in found:
                self._flight.begin(self._run(message))

    async def _run(self, message: Message) -> None:
        holding = asyncio.create_task(self._hold(message))
        try:
            outcome = await self._invocations.run_with_retries(self._request(message))
        finally:
            holding.cancel()
        try:
            await self._settle(message, outcome)
        except QueueStorageError as error:
            self._log.error(
                f"A message of '{self._queue}' could not be settled: {error.code}: {error}",
                f"Function.{self._function.name}",
            )

    async def _hold(self, message: Message) -> None:
        """Keep the message hidden for as long as its function runs."""
        while True:
            await asyncio.sleep(_HIDDEN_S / 2)
            await self._queues.hold(message, _HIDDEN_S)

    def _request(self, message: Message) -> Request:
        trigger = self._function.trigger
        datum, metadata = queue_message(message, trigger.name, trigger.data_type)
        return Request(
            function=self._function,
            trigger=datum,
            metadata=metadata,
            reason=f"New queue message detected on '{self._queue}'.",
            details=lambda: (
                f"MessageId: {message.id}, DequeueCount: {message.dequeue_count}, "
                f"InsertedOn: {message.inserted.isoformat()}"
            ),
            data=lambda: binding_data(metadata),
        )

    async def _settle(self, message: Message, outcome: Outcome) -> None:
        if outcome.ok:
            await self._queues.delete(message)
        elif message.dequeue_count < self._options.max_dequeue_count or self._queue.endswith(
            _POISON
        ):
            await self._queues.release(message, self._options.visibility_timeout_s)
        else:
            poison = self._queue + _POISON
            self._log.error(
                f"Message has reached MaxDequeueCount of {self._options.max_dequeue_count}. Moving "
                f"message to queue '{poison}'.",
                f"Function.{self._function.name}",
            )
            await self._queues.move(message, poison)
