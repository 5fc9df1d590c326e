"""One turn of an instance as a value: what it takes, what it runs, what must be stored.

Filled by `turns` (what has arrived) and `episode` (what the orchestrator says), carried out by the
engine. Pure.
"""

from dataclasses import dataclass, field

from emulator.taskhub import events
from emulator.taskhub.chunks import Marks
from emulator.taskhub.inbox import Message
from emulator.taskhub.model import Event
from emulator.taskhub.state import Instance, Status, Task, Verdict


@dataclass(slots=True)
class Plan:
    """One turn.

    Attributes:
        at: the turn's time, which is its OrchestratorStarted's.
        invoke: whether the orchestrator is to be run with `new`.
        new: OrchestratorStarted and what is delivered.
        history: the events to store; the engine adds none.
        taken: messages that leave the inbox with this turn; `dropped` are those among them that
            nobody waits for.
        scheduled: tasks whose scheduling event this turn writes.
        marks: what is stored besides the events.
        ended: how the execution ends with this turn, or None.
        successor: the next generation, once it has been made.
    """

    at: int
    invoke: bool = False
    new: list[Event] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)
    dropped: list[Message] = field(default_factory=list)
    scheduled: list[Task] = field(default_factory=list)
    marks: Marks = field(default_factory=Marks)
    ended: Verdict | None = None
    successor: Instance | None = None


def schedule(instance: Instance, plan: Plan, task: Task) -> None:
    """Open a task in this turn."""
    instance.next_id = max(instance.next_id, task.id + 1)
    instance.add_task(task)
    plan.scheduled.append(task)
    plan.marks.tasks.append(task)


def close(instance: Instance, plan: Plan) -> None:
    """Carry out the instance's verdict."""
    verdict = instance.verdict
    assert verdict is not None
    if verdict.status is not Status.CONTINUED_AS_NEW:
        plan.history.append(events.execution_completed(plan.at, verdict.status, verdict.output))
    end(instance, plan, verdict)


def end(instance: Instance, plan: Plan, verdict: Verdict) -> None:
    """End the execution with this turn."""
    plan.ended = verdict
    if verdict.status is not Status.CONTINUED_AS_NEW:
        instance.status, instance.output = verdict.status, verdict.output
