"""The part of the durable library's context that the orchestrators use.

Written down as a protocol so that they load with no SDK installed, and so that it is plain what a
newer library has to offer. Source: azure-functions-durable 1.7, DurableOrchestrationContext.
"""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any, Protocol


class Task(Protocol):
    """Something that was asked for and ends with a result or an exception."""

    @property
    def result(self) -> Any: ...


class OrchestrationContext(Protocol):
    """What an orchestrator is called with."""

    @property
    def instance_id(self) -> str: ...

    @property
    def current_utc_datetime(self) -> datetime: ...

    @property
    def is_replaying(self) -> bool: ...

    def get_input(self) -> Any: ...

    def call_activity(self, name: str, input_: Any = None) -> Task: ...

    def call_sub_orchestrator(
        self, name: str, input_: Any = None, instance_id: str | None = None
    ) -> Task: ...

    def create_timer(self, fire_at: datetime) -> Task: ...

    def task_any(self, activities: Sequence[Task]) -> Task: ...

    def set_custom_status(self, status: Any) -> None: ...


# An orchestrator, or a part of one: yields tasks and is sent what they came to.
Steps = Generator[Task, Any, Any]
