"""Between the task hub and the worker: logs, and the bindings of activities beside their trigger.

The hub knows durable names; the worker runs them. What an activity sets on an output binding is
sent after it succeeded and before its completion is reported, so a failed output fails the activity
and a crash in between runs it again.

Source: the Durable Functions extension's out-of-process path.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping

from aiohttp import web

from emulator.clock import Clock
from emulator.database import Database
from emulator.faults import Faults
from emulator.host.configuration import Configuration
from emulator.host.functions import DURABLE_TRIGGERS, Function
from emulator.host.inputs import Inputs
from emulator.host.invocations import InvocationLog, log_failure
from emulator.host.keys import Keys
from emulator.host.log import Log
from emulator.host.outputs import Outputs
from emulator.host.worker_model import FunctionMetadata, InvocationContext, InvocationResult
from emulator.host.worker_process import WorkerProcess
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
        return await self._inputs.read(known, _data(known, trigger)) if known.inputs else {}

    async def send_outputs(
        self, function: FunctionMetadata, result: InvocationResult, context: InvocationContext
    ) -> None:
        """Send what the activity set.

        Raises:
            OutputFailed: something could not be sent.
        """
        await self._outputs.send(self._known(function), result, context.invocation_id, {})

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
    """The task hub of an app that has durable functions or clients; another app has none.

    Its doors exist in either case; without a hub they answer as for an extension that is not there.
    """

    def __init__(
        self,
        configuration: Configuration,
        origin: str,
        keys: Keys | None,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._configuration = configuration
        self._origin = origin
        self._keys = keys
        self._clock = clock
        self._faults = faults
        self._database: Database | None = None
        self._hub: object | None = None
        self._doors: web.Application | None = None

    async def start(self, invoker: FunctionInvoker) -> None:
        """Open the hub's file and let what was interrupted go on.

        Raises:
            StorageError: the file cannot be opened.
        """
        raise NotImplementedError

    def client_binding(self) -> str:
        """The text of a durable client binding."""
        raise NotImplementedError

    def routes(self) -> list[web.RouteDef]:
        """The hub's doors: for the durable client, and the public one behind its system key."""
        return []

    async def stop(self) -> None:
        """Let work in flight end, and close the file."""
