"""Makes each function's listener, and registers routes; what cannot be is put in error."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from emulator.clock import Clock
from emulator.host.blob_listener import BlobListener
from emulator.host.blob_paths import parse_trigger_path
from emulator.host.cosmos_listener import CosmosListener
from emulator.host.cosmos_source import FeedSource
from emulator.host.errors import FunctionInError
from emulator.host.functions import Function, in_error
from emulator.host.host_json import HostJson
from emulator.host.inputs import Inputs
from emulator.host.invocations import Invocations
from emulator.host.log import Log
from emulator.host.outputs import Outputs
from emulator.host.routing import Route, Router, parse_template
from emulator.host.schedules import parse_schedule
from emulator.host.servicebus_listener import Feed, ServiceBusListener
from emulator.host.servicebus_sessions import SessionListener
from emulator.host.services import (
    DEAD_LETTER,
    Services,
    blob_path,
    ensure_queue,
    ensure_storage_queue,
    queue_path,
    storage_queue,
)
from emulator.host.settings import Settings
from emulator.host.storage_queue_listener import StorageQueueListener
from emulator.host.timer_listener import TimerListener


class Listener(Protocol):
    """Feeds one function from its trigger's source."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """Take nothing new, and wait for what is in flight."""


@dataclass
class Assembly:
    """What the host runs.

    Attributes:
        functions: all of them, those in error among them.
    """

    functions: dict[str, Function] = field(default_factory=dict)
    router: Router = field(default_factory=Router)
    listeners: list[Listener] = field(default_factory=list)


@dataclass(frozen=True)
class Assembler:
    """Puts the functions' parts together."""

    settings: Settings
    host_json: HostJson
    services: Services
    inputs: Inputs
    outputs: Outputs
    invocations: Invocations
    data_dir: Path
    clock: Clock
    log: Log
    leases: set[tuple[str, str]] = field(default_factory=set)

    async def assemble(self, functions: Iterable[Function]) -> Assembly:
        """Make routes and listeners of the functions that can run."""
        assembly = Assembly()
        for function in functions:
            made = function
            if function.error is None:
                try:
                    await self._add(function, assembly)
                except FunctionInError as error:
                    made = in_error(function, str(error))
            assembly.functions[made.name] = made
        return assembly

    async def _add(self, function: Function, assembly: Assembly) -> None:
        self.inputs.prepare(function)
        await self.outputs.prepare(function)
        if function.trigger.type == "httpTrigger":
            assembly.router.add(self._route(function))
            return
        listener = await self._listener(function)
        if listener is not None and not function.disabled:
            assembly.listeners.append(listener)

    def _route(self, function: Function) -> Route:
        trigger = function.trigger
        route = trigger.text("route") or function.name
        prefix = self.host_json.route_prefix
        if not prefix:
            route = route.lstrip("/")
        methods = trigger.values.get("methods") or ()
        return Route(
            function=function.name,
            template=parse_template(f"{prefix}/{route}" if prefix else route),
            methods=frozenset(str(method).upper() for method in methods),
        )

    async def _listener(self, function: Function) -> Listener | None:
        kind = function.trigger.type
        if kind == "serviceBusTrigger":
            return await self._service_bus(function)
        if kind == "cosmosDBTrigger":
            return self._cosmos(function)
        if kind == "queueTrigger":
            return await self._storage_queue(function)
        if kind == "blobTrigger":
            return self._blob(function)
        return self._timer(function) if kind == "timerTrigger" else None

    async def _service_bus(self, function: Function) -> Listener:
        trigger = function.trigger
        path = queue_path(trigger, self.settings)
        queue = path[: -len(DEAD_LETTER)] if path.lower().endswith(DEAD_LETTER) else path
        await ensure_queue(self.services.broker, queue)
        with_sessions = trigger.flag("isSessionsEnabled")
        if with_sessions != self.services.broker.settings(queue).requires_session and path == queue:
            raise FunctionInError(
                f"The queue '{queue}' {'does not have' if with_sessions else 'has'} sessions: "
                "'isSessionsEnabled' of the trigger must agree with 'requiresSession' of the queue."
            )
        if function.retry is not None:
            self.log.warning(
                f"'{function.title}': retry policies are not supported for Service Bus triggers on "
                "Azure. Attempts are made here in the process, then the message is abandoned."
            )
        feed = Feed(
            function=function,
            path=path,
            broker=self.services.broker,
            invocations=self.invocations,
            options=self.host_json.service_bus,
            log=self.log,
            clock=self.clock,
        )
        return SessionListener(feed) if with_sessions else ServiceBusListener(feed)

    async def _storage_queue(self, function: Function) -> Listener:
        account = self.services.account
        queue = storage_queue(function.trigger, self.settings)
        await ensure_storage_queue(account, queue)
        return StorageQueueListener(
            function,
            queue,
            await account.queues(),
            invocations=self.invocations,
            options=self.host_json.queues,
            clock=self.clock,
            log=self.log,
        )

    def _blob(self, function: Function) -> Listener:
        return BlobListener(
            function,
            parse_trigger_path(blob_path(function.trigger, self.settings)),
            self.services.account,
            invocations=self.invocations,
            options=self.host_json.blobs,
            log=self.log,
        )

    def _cosmos(self, function: Function) -> Listener:
        source = FeedSource.of(function, self.settings)
        lease = (f"{source.lease_database}/{source.lease_container}", source.lease_id)
        if lease in self.leases:
            self.log.warning(
                f"'{function.title}' shares its lease with another function: only one of them is "
                "given each change. Give them lease container prefixes to let both see all."
            )
        self.leases.add(lease)
        return CosmosListener(
            function,
            source,
            self.services.cosmos,
            invocations=self.invocations,
            owner=f"{_folder_id(self.data_dir)}/{function.name}",
            clock=self.clock,
            log=self.log,
        )

    def _timer(self, function: Function) -> Listener:
        schedule = parse_schedule(
            function.trigger.text("schedule") or "", self.settings.get("WEBSITE_TIME_ZONE")
        )
        return TimerListener(
            function,
            schedule,
            self.data_dir / "timers" / f"{function.name}.json",
            invocations=self.invocations,
            clock=self.clock,
            log=self.log,
        )


def _folder_id(data_dir: Path) -> str:
    """A name for the host that outlives its process: one host at a time has a data folder."""
    return hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]
