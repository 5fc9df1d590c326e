"""What the task hub hands to whoever runs functions, and what it gets back.

Plain values: the hub knows nothing of processes, and the runner nothing of storage.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

Event = dict[str, Any]


class WorkerLost(Exception):
    """The worker process died: the work item is retried, it has not failed."""


@dataclass(frozen=True)
class Episode:
    """One episode of an orchestration.

    Attributes:
        function: the orchestrator's durable name.
        played: how many committed events the history has.
        new_events: the events of this episode, OrchestratorStarted first.
        history: the committed events; called only when the worker has no live session.
        input_json: the stored input, a JSON text.
    """

    function: str
    instance_id: str
    execution_id: str
    played: int
    new_events: list[Event]
    history: Callable[[], list[Event]]
    input_json: str | None
    parent_instance_id: str | None = None


@dataclass(frozen=True)
class EpisodeReply:
    """The orchestrator's reply, as the JSON text that the library made."""

    text: str


@dataclass(frozen=True)
class EpisodeFailed:
    """An orchestrator that raised.

    Attributes:
        message: the error's text.
        embedded: the reply that the library put into the error, or None.
        trace: the traceback.
    """

    message: str
    embedded: str | None
    trace: str


@dataclass(frozen=True)
class ActivityCall:
    """One activity to run."""

    name: str
    instance_id: str
    execution_id: str
    task_id: int
    input_text: str


@dataclass(frozen=True)
class ActivityOutcome:
    """How an activity ended."""

    ok: bool
    result_text: str | None = None
    error_type: str = ""
    error_message: str = ""
    trace: str = ""
    timed_out: bool = False


@dataclass(frozen=True)
class EntityCall:
    """One batch for an entity, as the entity trigger's payload."""

    name: str
    key: str
    payload_text: str


@dataclass(frozen=True)
class EntityOutcome:
    """An entity's reply, or why there is none."""

    ok: bool
    text: str | None = None
    error_type: str = ""
    error_message: str = ""
    trace: str = ""
    timed_out: bool = False


class FunctionInvoker(Protocol):
    """Whoever runs the app's durable functions."""

    def orchestrators(self) -> Collection[str]: ...
    def activities(self) -> Collection[str]: ...
    def entities(self) -> Collection[str]: ...
    async def run_orchestrator(self, episode: Episode) -> EpisodeReply | EpisodeFailed: ...
    async def run_activity(self, call: ActivityCall) -> ActivityOutcome: ...
    async def run_entity(self, call: EntityCall) -> EntityOutcome: ...
