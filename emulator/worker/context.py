"""The invocation context that a function may ask for, and the id by which its log lines are known.

`invocation_id` follows coroutines, `thread_local_storage` follows threads; an app that starts a
thread of its own copies `context.thread_local_storage.invocation_id` into it to keep its log lines
attributed, as on Azure.
"""

import contextlib
import contextvars
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

invocation_id: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "invocation_id", default=None
)
thread_local_storage = threading.local()


@contextlib.contextmanager
def attributed(invocation: str) -> Iterator[None]:
    """What runs inside on this thread belongs to the invocation."""
    thread_local_storage.invocation_id = invocation
    token = invocation_id.set(invocation)
    try:
        yield
    finally:
        invocation_id.reset(token)
        thread_local_storage.invocation_id = None


def current_invocation_id() -> str | None:
    """The invocation that the running code belongs to, if any."""
    return invocation_id.get() or getattr(thread_local_storage, "invocation_id", None)


class TraceContext:
    """The W3C trace the invocation belongs to."""

    def __init__(self, parent: str, state: str, attributes: dict[str, str]) -> None:
        self._parent, self._state, self._attributes = parent, state, attributes

    @property
    def trace_parent(self) -> str:
        return self._parent

    @property
    def trace_state(self) -> str:
        return self._state

    @property
    def attributes(self) -> dict[str, str]:
        return self._attributes

    # The deprecated spellings, which apps still use.
    Traceparent = trace_parent
    Tracestate = trace_state
    Attributes = attributes


@dataclass(frozen=True)
class RpcException:
    """The failure of the attempt before this one."""

    source: str
    stack_trace: str
    message: str


@dataclass
class RetryContext:
    """Which attempt this is; 0, 0 and None on a function without a retry policy."""

    retry_count: int = 0
    max_retry_count: int = 0
    rpc_exception: RpcException | None = None

    @property
    def exception(self) -> RpcException | None:
        return self.rpc_exception


@dataclass(frozen=True)
class Context:
    """What a parameter named `context` receives."""

    function_name: str = ""
    function_directory: str = ""
    invocation_id: str = ""
    trace_context: Any = None
    retry_context: Any = None
    thread_local_storage: Any = field(default=thread_local_storage)


def make_context(name: str, directory: str, sent: Mapping[str, Any]) -> Context:
    """The context of one invocation, from what the host sent."""
    failure = sent.get("retry_exception")
    return Context(
        function_name=name,
        function_directory=directory,
        invocation_id=sent["invocation_id"],
        trace_context=TraceContext(
            sent.get("trace_parent", ""),
            sent.get("trace_state", ""),
            dict(sent.get("attributes") or {}),
        ),
        retry_context=RetryContext(
            sent.get("retry_count", 0),
            sent.get("max_retry_count", 0),
            RpcException(failure["source"], failure["stack_trace"], failure["message"])
            if failure
            else None,
        ),
    )
