"""Makes of a plan what is written in its transaction, and what is sent after it. Pure but for ids.

Names that no function answers to are refused here: the task fails with a clear reason, where Azure
would leave its orchestration waiting for ever.

Source: protocol specification, 3.10, 3.11, 6.4.
"""

import json
from dataclasses import dataclass, field
from uuid import uuid4

from emulator.taskhub import events
from emulator.taskhub.chunks import encode_events
from emulator.taskhub.errors import unknown_function
from emulator.taskhub.inbox import Inbox, Message, MessageKind
from emulator.taskhub.model import Event, FunctionInvoker
from emulator.taskhub.names import find_name
from emulator.taskhub.options import HubOptions
from emulator.taskhub.plan import Plan
from emulator.taskhub.state import Instance, Kind, Parent, Status, Task, Verdict
from emulator.taskhub.store import Answer, Commit, Operation, Start


@dataclass(slots=True)
class Outgoing:
    """What is sent once the commit is on disk.

    Attributes:
        work: activities and HTTP calls to run.
        entities: ids of entities that have operations.
        parent: the instance that is answered.
    """

    work: list[Task] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """What new work is looked up in: the hub's options, and the functions that there are."""

    options: HubOptions
    invoker: FunctionInvoker


def build(
    plan: Plan, instance: Instance, inbox: Inbox, directory: Directory, now: int
) -> tuple[Commit, Outgoing]:
    """Say what a turn writes and sends. The instance is as the turn has left it."""
    outgoing = Outgoing()
    commit = Commit(
        instance,
        instance.execution_id,
        now,
        events=encode_events(plan.history) if plan.history else None,
        marks=plan.marks.encode() if plan.history else None,
        consumed=[message.seq for message in plan.taken if message.seq is not None],
        replace_any_child=directory.options.replace_any_state,
    )
    for task in plan.scheduled:
        if task.is_work:
            outgoing.work.append(task)
        elif task.kind is Kind.CHILD:
            _add_child(commit, task, directory)
        elif task.kind in (Kind.ENTITY, Kind.SIGNAL):
            _add_operation(commit, outgoing, task, directory)
    if plan.ended is not None:
        _end(commit, outgoing, plan, plan.ended, inbox)
    return commit, outgoing


def _end(commit: Commit, outgoing: Outgoing, plan: Plan, verdict: Verdict, inbox: Inbox) -> None:
    instance = commit.instance
    if verdict.status is Status.CONTINUED_AS_NEW:
        plan.successor = commit.instance = _successor(instance, verdict, commit.updated)
        commit.events = commit.marks = None
        return
    # Failed attempts that came after the verdict are for a rewind.
    commit.to_self += [message for message in inbox.held if message.seq is None]
    parent = instance.parent
    if parent is not None:
        outgoing.parent = parent.instance_id
        event = _answer(parent.task_id, verdict, commit.updated)
        message = Message(MessageKind.COMPLETION, commit.updated, event, parent.execution_id)
        commit.answer = Answer(parent.instance_id, parent.execution_id, message)


def _answer(task_id: int, verdict: Verdict, at: int) -> Event:
    if verdict.status is Status.COMPLETED:
        return events.child_completed(at, task_id, verdict.output)
    return events.child_failed(at, task_id, verdict.output, verdict.details)


def _successor(instance: Instance, verdict: Verdict, now: int) -> Instance:
    """The next generation: the same instance with nothing but its new input."""
    return Instance(
        instance.key,
        instance.id,
        uuid4().hex,
        instance.name,
        instance.version,
        verdict.carried_input,
        parent=instance.parent,
        status=Status.RUNNING,
        created=now,
        turn=instance.turn,
        custom_status=instance.custom_status,
    )


def _add_child(commit: Commit, task: Task, directory: Directory) -> None:
    instance = commit.instance
    assert task.child_id is not None
    parent = Parent(instance.id, instance.execution_id, task.id)
    known = directory.invoker.orchestrators()
    name = find_name(task.name, known)
    refusal = None
    if name is None:
        refusal = unknown_function(task.name, "orchestrator", known)
    elif task.child_id.startswith("@"):
        refusal = "Orchestration instance IDs must not start with '@'."
    elif task.child_id == instance.id:
        refusal = "A sub-orchestration cannot have the instance ID of its parent."
    if refusal is not None:
        event = events.child_failed(commit.updated, task.id, refusal, None)
        commit.to_self.append(
            Message(MessageKind.COMPLETION, commit.updated, event, instance.execution_id)
        )
        return
    commit.children.append(
        Start(
            task.child_id,
            uuid4().hex,
            name or task.name,
            task.version or directory.options.default_version,
            json.dumps(task.input),
            commit.updated,
            parent,
        )
    )


def _add_operation(commit: Commit, outgoing: Outgoing, task: Task, directory: Directory) -> None:
    instance = commit.instance
    entity_name = task.name.split("@", 2)[1]
    known = directory.invoker.entities()
    if find_name(entity_name, known) is None:
        if task.kind is Kind.ENTITY and task.request is not None:
            text = unknown_function(entity_name, "entity", known)
            body = json.dumps({"exceptionType": "Error", "result": json.dumps(text)})
            event = events.event_raised(commit.updated, task.request, body)
            commit.to_self.append(
                Message(MessageKind.COMPLETION, commit.updated, event, instance.execution_id)
            )
        return
    is_call = task.kind is Kind.ENTITY
    commit.operations.append(
        Operation(
            task.name,
            task.operation,
            json.dumps(task.input),
            instance.id if is_call else None,
            instance.execution_id if is_call else None,
            task.request if is_call else None,
        )
    )
    outgoing.entities.append(task.name)
