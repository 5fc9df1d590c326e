"""What a workflow is made of once it is loaded, and what becomes of its actions.

Pure values; `load` makes them of JSON, `run` executes them.

Source: Logic Apps documentation, "Schema reference guide to trigger and action types" and "Handle
errors and exceptions" (how the status of a scope or a run follows from its actions).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from emulator.logicapp.expressions import Template
from emulator.logicapp.expressions.functions.dates import instant_text


class Status(StrEnum):
    """Of an action or a run."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"
    RUNNING = "Running"
    # A run whose process died; what started it starts another.
    ABORTED = "Aborted"


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how far apart; `none` is a count of 0."""

    count: int = 4
    interval_s: float = 7.5
    is_exponential: bool = True
    minimum_s: float = 5.0
    maximum_s: float = 45.0


@dataclass(frozen=True)
class Compose:
    """A value."""

    inputs: Template


@dataclass(frozen=True)
class Connector:
    """A call of a managed connector.

    Attributes:
        api: the connector: `servicebus`, `azureblob`, `documentdb`.
        operation: its operation's name, found by method and path when the workflow was loaded.
    """

    api: str
    operation: str
    method: str
    path: Template
    queries: Template
    headers: Template
    body: Template | None
    retry: RetryPolicy
    timeout_s: float | None


@dataclass(frozen=True)
class Query:
    """The items of an array for which `where` is true."""

    source: Template
    where: Template


@dataclass(frozen=True)
class Select:
    """Each item of an array made into another value."""

    source: Template
    select: Template


@dataclass(frozen=True)
class Join:
    """The items of an array as one text."""

    source: Template
    mark: Template


@dataclass(frozen=True)
class InitializeVariable:
    """A variable comes to be."""

    name: str
    type: str
    value: Template | None


@dataclass(frozen=True)
class ChangeVariable:
    """A variable is changed; `kind` is the action's type."""

    kind: str
    name: str
    value: Template


@dataclass(frozen=True)
class Scope:
    """Actions together."""

    block: "Block"


@dataclass(frozen=True)
class Foreach:
    """Actions for each item."""

    source: Template
    block: "Block"
    concurrency: int


@dataclass(frozen=True)
class If:
    """Actions on a condition."""

    condition: Callable[[Any], bool]
    expression: Template
    yes: "Block"
    no: "Block"


@dataclass(frozen=True)
class Switch:
    """Actions for one of several values."""

    expression: Template
    cases: tuple[tuple[Any, "Block"], ...]
    default: "Block"


@dataclass(frozen=True)
class Terminate:
    """The end of the run."""

    status: Status
    code: Template
    message: Template


Spec = (
    Compose
    | Connector
    | Query
    | Select
    | Join
    | InitializeVariable
    | ChangeVariable
    | Scope
    | Foreach
    | If
    | Switch
    | Terminate
)


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
        run_after: the siblings it waits for, each with the statuses that let it run.
    """

    name: str
    type: str
    run_after: Mapping[str, frozenset[Status]]
    spec: Spec


@dataclass(frozen=True)
class Block:
    """Actions side by side, each after those it waits for in the order of this mapping."""

    actions: Mapping[str, Action]

    def leaves(self) -> list[Action]:
        """Actions that none waits for."""
        awaited = {name for action in self.actions.values() for name in action.run_after}
        return [action for name, action in self.actions.items() if name not in awaited]

    def is_chain(self) -> bool:
        """Whether each action waits for the one before it."""
        names = list(self.actions)
        return all(
            list(self.actions[name].run_after) == ([names[at - 1]] if at else [])
            for at, name in enumerate(names)
        )


@dataclass(frozen=True)
class Trigger:
    """A queue whose messages start runs.

    Attributes:
        runs: how many runs there are at once.
    """

    name: str
    queue: str
    runs: int
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Workflow:
    """A loaded workflow.

    Attributes:
        observed: names, in lower case, of the scopes and loops whose results are asked for.
    """

    name: str
    parameters: Mapping[str, Any]
    trigger: Trigger
    block: Block
    observed: frozenset[str] = frozenset()


@dataclass
class ActionResult:
    """What became of an action."""

    name: str
    type: str
    status: Status
    code: str
    started: datetime
    ended: datetime
    inputs: Any = None
    outputs: Any = None
    error: dict[str, Any] | None = None
    retries: int = 0
    repetition: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As expressions and the run history show it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "startTime": instant_text(self.started),
            "endTime": instant_text(self.ended),
            "code": self.code,
            "status": str(self.status),
        }
        for name, value in (
            ("inputs", self.inputs),
            ("outputs", self.outputs),
            ("error", self.error),
        ):
            if value is not None:
                shown[name] = value
        return shown | self.extra


def may_run(action: Action, statuses: Mapping[str, Status]) -> bool:
    """Whether those it waited for ended as it wants."""
    return all(statuses[name] in wanted for name, wanted in action.run_after.items())


def block_status(block: Block, statuses: Mapping[str, Status]) -> Status:
    """A scope's or run's status: that of its last actions; where one was skipped, of those before.

    An error that a later action handled is no failure.
    """

    def failed(action: Action) -> bool:
        status = statuses[action.name]
        if status is Status.SKIPPED:
            return any(failed(block.actions[name]) for name in action.run_after)
        return status in (Status.FAILED, Status.TIMED_OUT)

    return Status.FAILED if any(failed(leaf) for leaf in block.leaves()) else Status.SUCCEEDED
