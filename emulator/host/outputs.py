"""Sends what a function returned and set: to queues, containers and topics.

Called after the function succeeded. All outputs go at once; one that fails, fails the invocation,
and what the others sent stays sent: a trigger that redelivers will send it again.

Source: the host's output dispatch. DIFFERS: `bytes` to Service Bus are sent as they are (the real
host sends the text `System.Byte[]`).
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.blob import Upload
from emulator.clock import Clock
from emulator.host.blob_paths import split_path
from emulator.host.errors import FunctionInError, OutputFailed
from emulator.host.expressions import bind, has_expression
from emulator.host.functions import Binding, Function
from emulator.host.log import Log
from emulator.host.rendering import documents, events, message_bodies
from emulator.host.services import (
    Services,
    blob_path,
    cosmos_place,
    ensure_queue,
    ensure_storage_queue,
    event_grid_topic,
    queue_path,
    storage_queue,
)
from emulator.host.settings import Settings
from emulator.host.worker_model import InvocationResult
from emulator.servicebus import OutgoingMessage
from emulator.worker.protocol import UNSET, Datum

Data = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class _Sending:
    """What one output is sent with: the names of places, expressions put in."""

    invocation_id: str
    data: Data
    function: str


Send = Callable[[Datum, _Sending], Awaitable[None]]


class Outputs:
    """The output bindings of the functions that were prepared."""

    def __init__(self, services: Services, settings: Settings, clock: Clock, log: Log) -> None:
        self._services = services
        self._settings = settings
        self._clock = clock
        self._log = log
        self._plans: dict[str, dict[str, Send]] = {}
        self._warned: set[str] = set()

    async def prepare(self, function: Function) -> None:
        """Get a function's outputs ready.

        Raises:
            FunctionInError: one of them cannot be sent to.
        """
        plan: dict[str, Send] = {}
        for binding in function.outputs:
            if binding.type == "serviceBus":
                plan[binding.name] = await self._service_bus(binding)
            elif binding.type == "cosmosDB":
                plan[binding.name] = self._cosmos(binding)
            elif binding.type == "queue":
                plan[binding.name] = await self._storage_queue(binding)
            elif binding.type == "blob":
                plan[binding.name] = self._blob(binding)
            elif binding.type == "eventGrid":
                plan[binding.name] = self._event_grid(binding)
        self._plans[function.name] = plan

    async def send(
        self, function: Function, result: InvocationResult, invocation_id: str, data: Data
    ) -> Datum:
        """Send everything; returns the HTTP response, unset where there is none.

        Raises:
            OutputFailed: something could not be sent.
        """
        plan = self._plans.get(function.name, {})
        given = {**result.outputs, "$return": result.return_value}
        sending = _Sending(invocation_id, data, function.name)
        work = [
            plan[name](datum, sending)
            for name, datum in given.items()
            if name in plan and datum.kind is not None
        ]
        if len(work) == 1:
            await work[0]
        elif work:
            failures = await asyncio.gather(*work, return_exceptions=True)
            for failure in failures:
                if isinstance(failure, BaseException):
                    raise failure
        http = next((b for b in function.outputs if b.type == "http"), None)
        return UNSET if http is None else given.get(http.name, UNSET)

    def _bound(self, text: str, sending: _Sending) -> str:
        if not has_expression(text):
            return text
        return bind(text, sending.data(), function=sending.function, now=self._clock.now())

    async def _service_bus(self, binding: Binding) -> Send:
        if binding.flag("includeMetadata"):
            raise FunctionInError(
                "'includeMetadata' of the Service Bus output is not supported by the emulator."
            )
        queue = queue_path(binding, self._settings)
        if not has_expression(queue):
            await ensure_queue(self._services.broker, queue)

        async def send(datum: Datum, sending: _Sending) -> None:
            if datum.kind == "bytes":
                self._warn_of_bytes(sending.function)
            properties = {
                "$AzureWebJobsParentId": sending.invocation_id,
            }
            messages = [
                OutgoingMessage(
                    body=body, content_type="text/plain", application_properties=properties
                )
                for body in message_bodies(datum)
            ]
            target = self._bound(queue, sending)
            await _carried_out(self._services.broker.send(target, messages), "Service Bus")

        return send

    def _warn_of_bytes(self, function: str) -> None:
        if function not in self._warned:
            self._warned.add(function)
            self._log.warning(
                f"'Functions.{function}' sends bytes to Service Bus. On Azure the message's body "
                "would be the text 'System.Byte[]'; here the bytes are sent.",
                f"Function.{function}",
            )

    def _cosmos(self, binding: Binding) -> Send:
        place = cosmos_place(binding, self._settings)
        create = binding.flag("createIfNotExists")
        partition_key = binding.text("partitionKey") or "/id"

        async def send(datum: Datum, sending: _Sending) -> None:
            cosmos = self._services.cosmos
            database = self._bound(place.database, sending)
            container = self._bound(place.container, sending)
            if create:
                await cosmos.ensure_container(database, container, partition_key)
            for document in documents(datum):
                named = document if "id" in document else {**document, "id": str(uuid.uuid4())}
                await _carried_out(cosmos.upsert(database, container, named), "Cosmos DB")

        return send

    async def _storage_queue(self, binding: Binding) -> Send:
        queue = storage_queue(binding, self._settings)
        if not has_expression(queue):
            await ensure_storage_queue(self._services.account, queue)

        async def send(datum: Datum, sending: _Sending) -> None:
            queues = await self._services.account.queues()
            target = self._bound(queue, sending).lower()

            async def put() -> None:
                await queues.ensure_queue(target)
                await queues.put(target, message_bodies(datum))

            await _carried_out(put(), "Queue storage")

        return send

    def _blob(self, binding: Binding) -> Send:
        path = blob_path(binding, self._settings)
        split_path(path)

        async def send(datum: Datum, sending: _Sending) -> None:
            blobs = await self._services.account.blobs()
            container, name = split_path(self._bound(path, sending))
            value = datum.value
            content = value.encode() if isinstance(value, str) else bytes(value)

            async def put() -> None:
                await blobs.ensure_container(container)
                await blobs.put(Upload(container, name), content)

            await _carried_out(put(), "blob")

        return send

    def _event_grid(self, binding: Binding) -> Send:
        topic = event_grid_topic(binding, self._settings)

        async def send(datum: Datum, _: _Sending) -> None:
            if found := [dict(event) for event in events(datum)]:
                await _carried_out(self._services.sink.publish(topic, found), "Event Grid")

        return send


async def _carried_out(work: Awaitable[Any], product: str) -> None:
    """Await a service's answer; its refusal is the output's failure."""
    try:
        await work
    except Exception as error:
        raise OutputFailed(f"The {product} output failed: {error}") from error
