"""Runs one invocation from the trigger's datum to the last output, and retries by policy.

Called by every listener and by the HTTP front end. Outputs are sent after the function succeeded,
and one that fails, fails the invocation. The lines it logs are the host's, which harnesses read.
Leaves out on purpose: what to do with the outcome (settle, answer, move on), which each trigger
knows for itself.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol

from emulator.host.functions import Function
from emulator.host.log import ERROR, INFORMATION, Log
from emulator.host.worker_model import InvocationContext, InvocationResult, RetryFailure
from emulator.worker.protocol import UNSET, Datum

Data = Callable[[], Mapping[str, Any]]
PROGRAMMATICALLY = "This function was programmatically called via the host APIs."


class FunctionWorker(Protocol):
    """The door to the process that runs the functions."""

    async def invoke(
        self,
        function: str,
        inputs: Mapping[str, Datum],
        metadata: Mapping[str, Datum] | None = None,
        context: InvocationContext | None = None,
    ) -> InvocationResult:
        """Call a function; raises WorkerLost if the process is lost meanwhile."""


@dataclass(frozen=True)
class Request:
    """What a trigger asks for.

    Attributes:
        reason: as the log line says it.
        details: makes the log's `Trigger Details`, or None.
        data: makes what binding expressions can name.
    """

    function: Function
    trigger: Datum
    metadata: Mapping[str, Datum] = field(default_factory=dict)
    reason: str = "(null)"
    details: Callable[[], str] | None = None
    trace_parent: str = ""
    trace_state: str = ""
    data: Data = dict


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended; `error` None is success.

    Attributes:
        response: what the HTTP output holds, unset where there is none.
        cut_short: it failed, and was not tried further because the host stops.
    """

    invocation_id: str
    response: Datum = UNSET
    error: str | None = None
    timed_out: bool = False
    cut_short: bool = False

    @property
    def ok(self) -> bool:
        return self.error is None


Inputs = Callable[[Function, Data], Awaitable[Mapping[str, Datum]]]
SendOutputs = Callable[[Function, InvocationResult, str, Data], Awaitable[Datum]]


class Invocations:
    """The one way to run a function.

    Args:
        read_inputs: the values of the input bindings beside the trigger.
        send_outputs: sends what was returned and set; returns the HTTP response.
    """

    def __init__(
        self, worker: FunctionWorker, read_inputs: Inputs, send_outputs: SendOutputs, log: Log
    ) -> None:
        self._worker = worker
        self._read_inputs = read_inputs
        self._send_outputs = send_outputs
        self._log = log
        self._stopping = asyncio.Event()

    def stop_retrying(self) -> None:
        """The host stops: what fails from now on is not tried again."""
        self._stopping.set()

    async def run(self, request: Request) -> Outcome:
        """Run one invocation and log it; the app's faults are outcomes, never raised."""
        return await self._logged(request, _context(request))

    async def run_with_retries(self, request: Request) -> Outcome:
        """Run it, and again as its retry policy says; every attempt has an id of its own."""
        policy, attempt = request.function.retry, 0
        if policy is None:
            return self._marked(await self.run(request))
        context = replace(_context(request), max_retry_count=policy.max_count)
        outcome = await self._logged(request, context)
        while not outcome.ok and policy.allows(attempt + 1):
            attempt += 1
            delay = policy.delay_before(attempt)
            self._log.info(
                f"Waiting for `{_span(delay)}` before retrying function execution. Next attempt: "
                f"'{attempt}'. Max retry count: '{policy.max_count}'",
                f"Function.{request.function.name}",
            )
            if await self._is_stopped_within(delay):
                break
            context = replace(
                context,
                invocation_id=str(uuid.uuid4()),
                retry_count=attempt,
                retry_failure=RetryFailure(outcome.error or ""),
            )
            outcome = await self._logged(request, context)
        return self._marked(outcome)

    async def _is_stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    def _marked(self, outcome: Outcome) -> Outcome:
        if outcome.ok or not self._stopping.is_set():
            return outcome
        return replace(outcome, cut_short=True)

    async def _logged(self, request: Request, context: InvocationContext) -> Outcome:
        with InvocationLog(self._log, request.function.name, context.invocation_id) as lines:
            lines.begin(request.reason, request.details)
            outcome = await self._run(request, context)
            lines.end(outcome.ok)
        return outcome

    async def _run(self, request: Request, context: InvocationContext) -> Outcome:
        function, invocation_id = request.function, context.invocation_id
        try:
            inputs = {function.trigger.name: request.trigger}
            if function.inputs:
                inputs.update(await self._read_inputs(function, request.data))
            result = await self._worker.invoke(function.name, inputs, request.metadata, context)
            if not result.ok:
                return self._failed(function, invocation_id, result)
            response = await self._send_outputs(function, result, invocation_id, request.data)
        except Exception as error:  # noqa: BLE001 - whatever it was, the invocation has failed
            failure = InvocationResult(
                ok=False, error_type=type(error).__name__, error_message=str(error)
            )
            return self._failed(function, invocation_id, failure)
        return Outcome(invocation_id, response)

    def _failed(self, function: Function, invocation_id: str, result: InvocationResult) -> Outcome:
        log_failure(self._log, function.name, result.error_text, result.trace)
        return Outcome(invocation_id, error=result.error_text, timed_out=result.timed_out)


def log_failure(log: Log, function: str, error: str, trace: str) -> None:
    """The host's lines for a function that failed."""
    log.error(
        f"Exception while executing function: Functions.{function}\n"
        f"Result: Failure\nException: {error}\nStack: {trace.rstrip()}",
        f"Function.{function}",
    )


class InvocationLog:
    """The lines that begin and end an invocation; the last also where it is cut off."""

    def __init__(self, log: Log, function: str, invocation_id: str) -> None:
        self._log = log
        self._function = function
        self._id = invocation_id
        self._category = f"Function.{function}"
        self._started = time.perf_counter()
        self._ended = False

    def __enter__(self) -> "InvocationLog":
        return self

    def begin(self, reason: str, details: Callable[[], str] | None = None) -> None:
        """The lines of the beginning."""
        if not self._log.shows(INFORMATION, self._category):
            return
        self._log.info(
            f"Executing 'Functions.{self._function}' (Reason='{reason}', Id={self._id})",
            self._category,
        )
        if details is not None:
            self._log.info(f"Trigger Details: {details()}", self._category)

    def end(self, ok: bool) -> None:
        """The line of the end."""
        self._ended = True
        if not self._log.shows(INFORMATION if ok else ERROR, self._category):
            return
        took = round((time.perf_counter() - self._started) * 1000)
        self._log.write(
            INFORMATION if ok else ERROR,
            f"Executed 'Functions.{self._function}' ({'Succeeded' if ok else 'Failed'}, "
            f"Id={self._id}, Duration={took}ms)",
            self._category,
        )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What the host itself gives up is done again later; it has not failed.
        if not self._ended and kind is not asyncio.CancelledError:
            self.end(ok=False)


def _context(request: Request) -> InvocationContext:
    return InvocationContext(
        trace_parent=request.trace_parent or new_trace_parent(), trace_state=request.trace_state
    )


def new_trace_parent() -> str:
    """A W3C trace parent that begins a trace."""
    bits = uuid.uuid4().hex
    return f"00-{bits}-{bits[:16]}-01"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=seconds))
