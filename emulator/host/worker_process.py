"""The worker process as the host and its task hub see it: the hub's `FunctionInvoker`.

Durable functions are known to the hub by their durable names, ignoring case. An activity may have
more bindings than its trigger; the host reads and sends those (`ActivityBindings`).

Source: the Durable Functions extension's out-of-process path.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from emulator.host.worker_calls import WorkerCalls
from emulator.host.worker_model import (
    DURABLE_NAME_MEMBERS,
    ActivityBindings,
    AppLoadError,
    FunctionMetadata,
    InvocationContext,
    InvocationResult,
    LogLine,
    WorkerOptions,
)
from emulator.taskhub.model import (
    ActivityCall,
    ActivityOutcome,
    EntityCall,
    EntityOutcome,
    Episode,
    EpisodeFailed,
    EpisodeReply,
    WorkerLost,
)
from emulator.worker.protocol import Datum

__all__ = [
    "ActivityBindings",
    "AppLoadError",
    "FunctionMetadata",
    "InvocationContext",
    "InvocationResult",
    "LogLine",
    "WorkerLost",
    "WorkerOptions",
    "WorkerProcess",
]


class WorkerProcess(WorkerCalls):
    """The worker of one function app.

    Args:
        on_log: called on the event loop with every line of the app.
        bindings: the host's part in activities that have more bindings than their trigger; may be
            set until the first of them runs.
    """

    def __init__(
        self,
        options: WorkerOptions | None = None,
        *,
        on_log: Callable[[LogLine], None] = lambda _: None,
        bindings: ActivityBindings | None = None,
    ) -> None:
        super().__init__(options or WorkerOptions(), on_log)
        self.bindings = bindings
        self._durable: dict[str, dict[str, FunctionMetadata]] = {}
        self._names: dict[str, list[str]] = {}

    async def start(
        self, script_root: Path, env: Mapping[str, str], python: str | None = None
    ) -> list[FunctionMetadata]:
        """Start a worker and load the app; see `WorkerCalls.start`."""
        functions = await super().start(script_root, env, python)
        self._durable = {trigger_type: {} for trigger_type in DURABLE_NAME_MEMBERS}
        self._names.clear()
        for function in functions:
            named = self._durable.get(function.trigger_type)
            if named is not None:
                named[function.durable_name.casefold()] = function
        return functions

    def orchestrators(self) -> Collection[str]:
        """The durable names of the app's orchestrators."""
        return self._durable_names("orchestrationTrigger")

    def activities(self) -> Collection[str]:
        """The durable names of the app's activities."""
        return self._durable_names("activityTrigger")

    def entities(self) -> Collection[str]:
        """The durable names of the app's entities."""
        return self._durable_names("entityTrigger")

    def _durable_names(self, trigger_type: str) -> list[str]:
        names = self._names.get(trigger_type)
        if names is None:
            functions = self._durable.get(trigger_type, {}).values()
            names = self._names[trigger_type] = [each.durable_name for each in functions]
        return names

    def _durable_function(self, trigger_type: str, name: str) -> FunctionMetadata:
        function = self._durable.get(trigger_type, {}).get(name.casefold())
        if function is None:
            raise LookupError(f"The app has no function with the {trigger_type} named '{name}'.")
        return function

    def leave_out(self, functions: Collection[str]) -> None:
        """Take functions out of the durable names: the disabled, and those in error."""
        self._names.clear()
        for named in self._durable.values():
            for key in [key for key, function in named.items() if function.name in functions]:
                del named[key]

    async def run_orchestrator(self, episode: Episode) -> EpisodeReply | EpisodeFailed:
        """Run one episode of an orchestrator.

        Raises:
            LookupError: there is no such orchestrator.
            WorkerLost: the worker died, or the episode exceeded functionTimeout and is to be
                retried.
        """
        function = self._durable_function("orchestrationTrigger", episode.function)
        invocation_id = InvocationContext().invocation_id
        frame: dict[str, Any] = {
            "t": "orchestrate",
            "function": function.name,
            "invocation_id": invocation_id,
            "instance": episode.instance_id,
            "execution": episode.execution_id,
            "parent": episode.parent_instance_id,
            # A session knows its input; with a history it is sent again.
            "input": None if episode.played else episode.input_json,
            "played": episode.played,
            "events": episode.new_events,
        }
        call = self.new_call(function.name, invocation_id, episode)
        answer = await self.ask(call, frame)
        if call.timed_out:
            raise WorkerLost(self.timeout_text(function.name))
        if answer["ok"]:
            return EpisodeReply(answer["text"])
        return EpisodeFailed(answer["message"], answer["embedded"], answer["trace"])

    async def run_activity(self, call: ActivityCall) -> ActivityOutcome:
        """Run one activity, and send what its output bindings were set to.

        Raises:
            LookupError: there is no such activity.
            WorkerLost: the worker died with it.
        """
        function = self._durable_function("activityTrigger", call.name)
        context = InvocationContext()
        trigger = Datum("string", call.input_text)
        inputs = {function.trigger_name: trigger}
        beside = len(function.bindings) > 1
        if beside and self.bindings is not None:
            inputs.update(await self.bindings.read_inputs(function, trigger))
        result = await self.invoke(function.name, inputs, None, context)
        if result.ok and beside and self.bindings is not None:
            try:
                await self.bindings.send_outputs(function, result, context)
            except Exception as error:  # noqa: BLE001 - an output that cannot be sent fails it
                result = InvocationResult(
                    ok=False, error_type=type(error).__name__, error_message=str(error)
                )
        if not result.ok:
            return ActivityOutcome(
                ok=False,
                error_type=result.error_type,
                error_message=result.error_message,
                trace=result.trace,
                timed_out=result.timed_out,
            )
        return ActivityOutcome(ok=True, result_text=result.return_value.value)

    async def run_entity(self, call: EntityCall) -> EntityOutcome:
        """Run one batch of an entity.

        Raises:
            LookupError: there is no such entity.
            WorkerLost: the worker died with it.
        """
        function = self._durable_function("entityTrigger", call.name)
        payload = {function.trigger_name: Datum("string", call.payload_text)}
        result = await self.invoke(function.name, payload)
        if not result.ok:
            return EntityOutcome(
                ok=False,
                error_type=result.error_type,
                error_message=result.error_message,
                trace=result.trace,
                timed_out=result.timed_out,
            )
        return EntityOutcome(ok=True, text=result.return_value.value)
