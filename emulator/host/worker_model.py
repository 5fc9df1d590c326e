"""What the host knows of its worker: functions, invocations, outcomes, log lines, failures.

Plain values; `worker_process` makes them, everything in the host reads them.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from emulator.worker.protocol import UNSET, Datum, from_wire, from_wire_all

# The member of a durable trigger's binding that renames the function for the task hub.
DURABLE_NAME_MEMBERS = {
    "orchestrationTrigger": "orchestration",
    "activityTrigger": "activity",
    "entityTrigger": "entityName",
}


class AppLoadError(Exception):
    """The app has no functions, because loading it raised.

    Attributes:
        error_type: the exception's class; None if the worker ended before it could say.
        trace: the traceback, or the last lines that the worker wrote.
    """

    def __init__(self, error_type: str | None, message: str, trace: str) -> None:
        super().__init__(f"{error_type}: {message}" if error_type else message)
        self.error_type = error_type
        self.trace = trace


@dataclass(frozen=True)
class WorkerOptions:
    """How the worker is run.

    Attributes:
        function_timeout_s: host.json's functionTimeout; None is without limit.
        cancel_grace_s: how long a cancelled call may take to end before the worker is killed.
        sessions: orchestrations kept alive between episodes; 0 replays each episode in full.
    """

    function_timeout_s: float | None = None
    cancel_grace_s: float = 5.0
    sessions: int = 1000


@dataclass(frozen=True)
class FunctionMetadata:
    """One function, as its decorators say it.

    Attributes:
        bindings: the raw bindings, the decorator nearest to `def` first.
        retry: the settings of `@app.retry`, texts as given; None without one.
        http_type: `function`, `asgi` or `wsgi`.
    """

    name: str
    bindings: tuple[Mapping[str, Any], ...]
    retry: Mapping[str, str] | None
    is_async: bool
    http_type: str
    script_file: str
    trigger_type: str
    trigger_name: str

    @classmethod
    def from_frame(cls, sent: Mapping[str, Any]) -> "FunctionMetadata":
        """The function of one entry in a `loaded` frame."""
        return cls(**{**sent, "bindings": tuple(sent["bindings"])})

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The trigger's binding."""
        return next(b for b in self.bindings if b["name"] == self.trigger_name)

    @property
    def durable_name(self) -> str:
        """The name by which the task hub knows an orchestrator, activity or entity."""
        member = DURABLE_NAME_MEMBERS.get(self.trigger_type, "")
        return str(self.trigger.get(member) or self.name)


@dataclass(frozen=True)
class RetryFailure:
    """The failure of the attempt before, as a function's retry context shows it."""

    message: str
    source: str = ""
    stack_trace: str = ""


@dataclass(frozen=True)
class InvocationContext:
    """What a function learns of its invocation. Every attempt of a retry has an id of its own."""

    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    retry_count: int = 0
    max_retry_count: int = 0
    retry_failure: RetryFailure | None = None

    def to_frame(self) -> dict[str, Any]:
        """Its form in an `invoke` frame."""
        failure = self.retry_failure
        return {
            "invocation_id": self.invocation_id,
            "trace_parent": self.trace_parent,
            "trace_state": self.trace_state,
            "attributes": dict(self.attributes),
            "retry_count": self.retry_count,
            "max_retry_count": self.max_retry_count,
            "retry_exception": vars(failure) if failure else None,
        }


@dataclass(frozen=True)
class InvocationResult:
    """How an invocation ended.

    Attributes:
        return_value: what `$return` (or the trigger's own output) takes; unset if nothing.
        outputs: by parameter; those that were never set are missing.
        error_type, error_message: of the exception; the vendor shows `<type>: <message>`.
        timed_out: functionTimeout was exceeded.
    """

    ok: bool
    return_value: Datum = UNSET
    outputs: Mapping[str, Datum] = field(default_factory=dict)
    error_type: str = ""
    error_message: str = ""
    trace: str = ""
    timed_out: bool = False

    @classmethod
    def from_frame(cls, sent: Mapping[str, Any]) -> "InvocationResult":
        """The result in a `result` frame."""
        if not sent["ok"]:
            return cls(
                ok=False,
                error_type=sent["type"],
                error_message=sent["message"],
                trace=sent["trace"],
            )
        return cls(
            ok=True, return_value=from_wire(sent["return"]), outputs=from_wire_all(sent["outputs"])
        )

    @property
    def error_text(self) -> str:
        """`<type>: <message>`, as the host's log shows a failure."""
        return f"{self.error_type}: {self.error_message}"


@dataclass(frozen=True)
class LogLine:
    """One line that the app logged or printed, or that its process wrote.

    Attributes:
        invocation_id, function: None where the line belongs to no invocation.
        level: Trace, Debug, Information, Warning, Error or Critical.
        category: the logger's name; `stdout` for printed lines, `worker` for the process's own.
        system: the library's, not the app's.
    """

    invocation_id: str | None
    function: str | None
    level: str
    category: str
    text: str
    system: bool = False


class ActivityBindings(Protocol):
    """The host's part in an activity that has bindings beside its trigger."""

    async def read_inputs(self, function: FunctionMetadata, trigger: Datum) -> Mapping[str, Datum]:
        """The datums of every other input binding."""

    async def send_outputs(
        self, function: FunctionMetadata, result: InvocationResult, context: InvocationContext
    ) -> None:
        """Send what the activity set; an exception fails the activity."""
