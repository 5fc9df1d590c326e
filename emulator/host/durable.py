"""Between the task hub and the worker: logs, and the bindings of activities beside their trigger.

The hub knows durable names; the worker runs them. What an activity sets on an output binding is
sent after it succeeded and before its completion is reported, so a failed output fails the activity
and a crash in between runs it again.

Source: the Durable Functions extension's out-of-process path.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from emulator.clock import Clock
from emulator.faults import Faults
from emulator.host.configuration import Configuration
from emulator.host.errors import FunctionInError
from emulator.host.functions import DURABLE_TRIGGERS, Binding, Function
from emulator.host.http_front import given_key
from emulator.host.inputs import Inputs
from emulator.host.invocations import InvocationLog, log_failure
from emulator.host.keys import Keys, Level
from emulator.host.log import Log
from emulator.host.outputs import Outputs
from emulator.host.worker_model import FunctionMetadata, InvocationContext, InvocationResult
from emulator.host.worker_process import WorkerProcess
from emulator.taskhub import TaskHub, open_database, routes
from emulator.taskhub.model import (
    ActivityCall,
    ActivityOutcome,
    EntityCall,
    EntityOutcome,
    Episode,
    EpisodeFailed,
    EpisodeReply,
    FunctionInvoker,
)
from emulator.worker.protocol import Datum

_REASON = "(null)"
_EXTENSION = "durabletask"
# Requests that come while the app is loaded wait this long.
_START_WAIT_S = 30.0


class HostBindings:
    """The worker's `ActivityBindings`: reads and sends what an activity has beside its trigger."""

    def __init__(
        self, find: Callable[[str], Function | None], inputs: Inputs, outputs: Outputs
    ) -> None:
        self._find = find
        self._inputs = inputs
        self._outputs = outputs

    async def read_inputs(self, function: FunctionMetadata, trigger: Datum) -> Mapping[str, Datum]:
        """The datums of the other input bindings."""
        known = self._known(function)
        return await self._inputs.read(known, lambda: _data(known, trigger)) if known.inputs else {}

    async def send_outputs(
        self, function: FunctionMetadata, result: InvocationResult, context: InvocationContext
    ) -> None:
        """Send what the activity set.

        Raises:
            OutputFailed: something could not be sent.
        """
        await self._outputs.send(self._known(function), result, context.invocation_id, dict)

    def _known(self, function: FunctionMetadata) -> Function:
        known = self._find(function.name)
        assert known is not None
        return known


def _data(function: Function, trigger: Datum) -> dict[str, object]:
    """What the expressions of an activity's bindings can name: its input, and its members."""
    data: dict[str, object] = {function.trigger.name: trigger.value}
    try:
        value = json.loads(trigger.value)
    except (TypeError, ValueError):
        return data
    if isinstance(value, dict):
        data.update(value)
    return data


class LoggedWorker:
    """The worker as the task hub's `FunctionInvoker`, with the host's lines in the log."""

    def __init__(self, worker: WorkerProcess, log: Log) -> None:
        self._worker = worker
        self._log = log

    def orchestrators(self) -> Collection[str]:
        return self._worker.orchestrators()

    def activities(self) -> Collection[str]:
        return self._worker.activities()

    def entities(self) -> Collection[str]:
        return self._worker.entities()

    async def run_orchestrator(self, episode: Episode) -> EpisodeReply | EpisodeFailed:
        """Run one episode; its line says which instance it is of."""
        with self._lines(episode.function, episode.instance_id) as lines:
            reply = await self._worker.run_orchestrator(episode)
            lines.end(isinstance(reply, EpisodeReply))
        if isinstance(reply, EpisodeFailed):
            error = f"Orchestrator function '{episode.function}' failed: {reply.message}"
            log_failure(self._log, episode.function, error, reply.trace)
        return reply

    async def run_activity(self, call: ActivityCall) -> ActivityOutcome:
        """Run one activity."""
        with self._lines(call.name, call.instance_id) as lines:
            outcome = await self._worker.run_activity(call)
            lines.end(outcome.ok)
        self._say_why(call.name, outcome)
        return outcome

    async def run_entity(self, call: EntityCall) -> EntityOutcome:
        """Run one batch of an entity."""
        with self._lines(call.name, f"@{call.name}@{call.key}") as lines:
            outcome = await self._worker.run_entity(call)
            lines.end(outcome.ok)
        self._say_why(call.name, outcome)
        return outcome

    def _lines(self, function: str, instance_id: str) -> InvocationLog:
        lines = InvocationLog(self._log, function, instance_id)
        lines.begin(_REASON)
        return lines

    def _say_why(self, function: str, outcome: ActivityOutcome | EntityOutcome) -> None:
        if not outcome.ok:
            error = f"{outcome.error_type}: {outcome.error_message}"
            log_failure(self._log, function, error, outcome.trace)


def needs_hub(functions: Iterable[Function]) -> bool:
    """Whether any function is durable or has a durable client."""
    return any(
        binding.type in DURABLE_TRIGGERS or binding.type == "durableClient"
        for function in functions
        for binding in function.bindings
    )


class DurablePart:
    """The app's task hub and its doors.

    The doors are mounted before the app is loaded, so requests wait until `start`. An app without
    durable functions has a hub that never starts, and doors that answer 404.
    """

    def __init__(
        self,
        configuration: Configuration,
        origin: str,
        keys: Keys | None,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._origin = origin
        self._keys = keys
        self._clock = clock
        self._faults = faults
        self._options = replace(
            configuration.hub,
            system_key=keys.system(_EXTENSION) if keys is not None else None,
        )
        self._database = open_database(configuration.options.data_dir / "taskhub.db", faults)
        self._hub: TaskHub | None = None
        self._client = ""
        self._settled = asyncio.Event()
        self._runs = False

    def prepare(self, invoker: FunctionInvoker) -> list[web.RouteDef]:
        """Open the hub's file; returns its doors: for durable clients, and the public one."""
        self._hub = TaskHub(self._database, self._clock, self._faults, self._options, invoker)
        self._client = self._hub.client_binding(self._origin)
        return [
            web.route(door.method, door.path, self._guarded(door.handler))
            for door in routes(self._hub, self._may_enter)
        ]

    def _may_enter(self, request: web.Request) -> bool:
        if self._keys is None:
            return True
        return self._keys.level(given_key(request), extension=_EXTENSION) >= Level.SYSTEM

    def _guarded(self, handler: Any) -> Any:
        """The handler, once it is known whether there is a hub."""

        async def guard(request: web.Request) -> web.StreamResponse:
            try:
                async with asyncio.timeout(_START_WAIT_S):
                    await self._settled.wait()
            except TimeoutError:
                return web.Response(status=503)
            if not self._runs:
                return web.Response(status=404)
            return await handler(request)  # type: ignore[no-any-return]  # the hub's own handlers

        return guard

    async def start(self, *, is_needed: bool) -> None:
        """Let what was interrupted go on, if the app has anything durable."""
        assert self._hub is not None
        if is_needed:
            await self._hub.start()
        self._runs = is_needed
        self._settled.set()

    def clock_stepped(self) -> None:
        """Look at once at what is due."""
        if self._hub is not None:
            self._hub.clock_moved()

    def client_binding(self, binding: Binding) -> str:
        """The text of a durable client binding.

        Raises:
            FunctionInError: it names another task hub or connection than the app's own.
        """
        hub, connection = binding.text("taskHub"), binding.text("connectionName")
        if not self._options.has(hub, connection):
            named = f"task hub '{hub}'" if hub else "the app's task hub"
            raise FunctionInError(
                f"Its durable client is for {named} on connection '{connection or 'Storage'}'. "
                f"The emulator has the task hub '{self._options.hub_name}' of host.json alone."
            )
        return self._client

    async def stop(self) -> None:
        """Abandon what is in flight, which goes on at the next start, and close the file."""
        if self._hub is not None:
            await self._hub.stop()
        await asyncio.to_thread(self._database.close)
