"""Decides what an instance does next: pure, and the heart of the task hub.

`prepare` takes what has arrived and says what this turn is: an episode to run, a change of status
without one, or nothing. `finish` takes the orchestrator's reply and completes the plan: history
events, new tasks, the verdict. Both change the instance; the caller stores the plan in one
transaction, and on failure throws the instance away and reads it again.

The SDK numbers tasks silently, so this module numbers them the same way: ids of retry timers and
later attempts before the reply's new leaves, in the order in which their events are replayed.

Source: protocol specification, 3.6 to 3.10; D1 to D5 are its delivery rules. Called by the engine.
"""

import json
from dataclasses import dataclass, field

from emulator.taskhub import events
from emulator.taskhub.actions import CONTINUE_AS_NEW, TIMER, Action, Reply, leaf_key, parse_reply
from emulator.taskhub.chunks import Marks, apply_event, derive
from emulator.taskhub.determinism import find_divergence
from emulator.taskhub.errors import (
    actions_exceeded,
    custom_status_too_large,
    orchestrator_failed,
)
from emulator.taskhub.events import FAILURES
from emulator.taskhub.inbox import Inbox, Message, MessageKind
from emulator.taskhub.model import Event
from emulator.taskhub.scheduling import scheduling_event, task_of_leaf
from emulator.taskhub.state import Instance, Kind, Status, Task, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """What the host's options say about an episode."""

    max_actions: int = 100_000
    store_inputs: bool = False


@dataclass(slots=True)
class Plan:
    """One turn of an instance: what it takes, what it runs, what must be stored.

    Attributes:
        at: the turn's time, which is its OrchestratorStarted's.
        invoke: whether the orchestrator is to be run with `new`.
        new: OrchestratorStarted and what is delivered.
        history: the events to store; the engine adds none.
        taken: messages that leave the inbox with this turn.
        scheduled: tasks whose scheduling event this turn writes, in id order.
        marks: what is stored besides the events.
        ended: how the execution ends with this turn, or None.
        successor: the next generation, once it has been made.
    """

    at: int
    invoke: bool = False
    new: list[Event] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)
    scheduled: list[Task] = field(default_factory=list)
    marks: Marks = field(default_factory=Marks)
    ended: Verdict | None = None
    successor: Instance | None = None


def is_ready(instance: Instance, inbox: Inbox, now: int) -> bool:
    """Whether `prepare` would find something to do."""
    if instance.is_terminal:
        return False
    if inbox.terminations or inbox.control:
        return bool(inbox.terminations) or not _rests_suspended(instance, inbox)
    if instance.status is Status.SUSPENDED:
        return False
    if not instance.is_started or inbox.completions or inbox.wakes:
        return True
    due = instance.next_due()
    if instance.verdict is not None:
        return instance.blocking == 0 or (due is not None and due <= now)
    return (due is not None and due <= now) or any(
        instance.waits[name] > instance.delivered[name] for name in inbox.external
    )


def prepare(instance: Instance, inbox: Inbox, now: int) -> Plan | None:
    """Say what the instance does now, or None for nothing. Takes messages from the inbox."""
    plan = Plan(at=max(now, instance.clock + 1))
    if not is_ready(instance, inbox, plan.at):
        return None
    return (
        _terminate(instance, inbox, plan) if inbox.terminations else _go_on(instance, inbox, plan)
    )


def _go_on(instance: Instance, inbox: Inbox, plan: Plan) -> Plan | None:
    """The turn of an instance that is not terminated."""
    if not instance.is_started and _last_is_suspend(inbox):
        # What was sent before it begins stays in the inbox until it does.
        instance.status, instance.output = Status.SUSPENDED, _last_reason(inbox)
        return plan
    control = _take_control(instance, inbox, plan)
    if instance.status is Status.SUSPENDED:
        plan.history = control if instance.verdict is not None else _episode(plan, control)
        return plan
    if instance.verdict is not None:
        return _gated(instance, inbox, plan, control)
    delivered, advancing = _deliverable(instance, inbox, plan)
    if instance.is_started and not (control or delivered or advancing or inbox.wakes):
        return plan if plan.taken else None
    _begin(instance, plan, control + advancing + delivered, set(map(id, advancing)))
    plan.taken += inbox.wakes
    if inbox.wakes:
        inbox.wakes = []
        _reschedule(instance, plan)
    return plan


def _last_is_suspend(inbox: Inbox) -> bool:
    return bool(inbox.control) and inbox.control[-1].kind is MessageKind.SUSPEND


def _last_reason(inbox: Inbox) -> str | None:
    event = inbox.control[-1].event
    assert event is not None
    reason: str | None = event["Reason"]
    return reason


def _rests_suspended(instance: Instance, inbox: Inbox) -> bool:
    """Whether the instance was suspended before it began, and is still to wait."""
    return (
        not instance.is_started
        and instance.status is Status.SUSPENDED
        and _last_is_suspend(inbox)
        and instance.output == _last_reason(inbox)
    )


def _begin(instance: Instance, plan: Plan, happened: list[Event], advancing: set[int]) -> None:
    """Make the plan an episode in which all of this has happened."""
    plan.new = [events.orchestrator_started(plan.at)]
    if not instance.is_started:
        plan.new.append(_execution_started(instance, plan.at))
    for event in happened:
        plan.new.append(event)
        if id(event) in advancing:
            _advance_retry(instance, plan, event)
        else:
            apply_event(instance, event)
    plan.invoke = True
    instance.clock = plan.at
    instance.status = Status.RUNNING


def _execution_started(instance: Instance, at: int) -> Event:
    return events.execution_started(
        at,
        name=instance.name,
        version=instance.version or "",
        input_text=instance.input,
        instance_id=instance.id,
        execution_id=instance.execution_id,
        parent_instance_id=instance.parent.instance_id if instance.parent else None,
    )


def _episode(plan: Plan, happened: list[Event]) -> list[Event]:
    """An episode in which no code runs."""
    return [
        events.orchestrator_started(plan.at),
        *happened,
        events.orchestrator_completed(plan.at),
    ]


def _terminate(instance: Instance, inbox: Inbox, plan: Plan) -> Plan:
    """End the execution at once, whatever is open (D1)."""
    message = inbox.terminations[0]
    plan.taken += inbox.terminations
    inbox.terminations = []
    assert message.event is not None
    reason = message.event["Input"]
    happened = [] if instance.is_started else [_execution_started(instance, plan.at)]
    happened.append(message.event)
    happened.append(events.execution_completed(plan.at, Status.TERMINATED, reason))
    plan.history = _episode(plan, happened)
    _end(instance, plan, Verdict(Status.TERMINATED, reason))
    return plan


def _take_control(instance: Instance, inbox: Inbox, plan: Plan) -> list[Event]:
    """Take suspensions and resumptions; the last one holds."""
    if not inbox.control:
        return []
    control = [message.event for message in inbox.control if message.event is not None]
    instance.status = Status.SUSPENDED if _last_is_suspend(inbox) else Status.RUNNING
    instance.output = _last_reason(inbox)
    plan.taken += inbox.control
    inbox.control = []
    return control


def _deliverable(instance: Instance, inbox: Inbox, plan: Plan) -> tuple[list[Event], list[Event]]:
    """Take what may be delivered now: plain events, and those that advance a retry.

    Each in order of arrival; a timer arrives when it is due. What belongs to no open task is taken
    out of the inbox and dropped (D3).
    """
    arrived: list[tuple[int, Event, Task | None]] = []
    closing: set[int] = set()
    for message in inbox.completions:
        plan.taken.append(message)
        task = _addressee(instance, message, closing)
        if task is not None:
            assert message.event is not None
            arrived.append((message.at, message.event, task))
    inbox.completions = []
    for task in _due_timers(instance, plan.at):
        arrived.append((task.due, events.timer_fired(plan.at, task.id, task.due), task))
    if instance.verdict is None:
        for message in _awaited(instance, inbox):
            plan.taken.append(message)
            assert message.event is not None
            arrived.append((message.at, message.event, None))
    arrived.sort(key=lambda item: item[0])
    plain: list[Event] = []
    advancing: list[Event] = []
    for _, event, addressee in arrived:
        is_advancing = addressee is not None and _advances_retry(addressee, event)
        (advancing if is_advancing else plain).append(event)
    return plain, advancing


def _addressee(instance: Instance, message: Message, closing: set[int]) -> Task | None:
    """The open task that a completion is for; None if it is late, a duplicate or a stranger."""
    assert message.event is not None
    if message.execution_id != instance.execution_id:
        return None
    task_id = instance.completed_id(message.event)
    if task_id is None or task_id in closing or task_id in instance.held:
        return None
    closing.add(task_id)
    return instance.open[task_id]


def _due_timers(instance: Instance, now: int) -> list[Task]:
    """Take the timers that are due."""
    due: list[Task] = []
    while (first := instance.next_due()) is not None and first <= now:
        due.append(instance.open[instance.pop_timer()])
    return due


def _awaited(instance: Instance, inbox: Inbox) -> list[Message]:
    """Take the external events that the code waits for: one for each wait (D4)."""
    taken: list[Message] = []
    for name in [name for name in inbox.external if instance.waits[name]]:
        waiting = inbox.external[name]
        for _ in range(instance.waits[name] - instance.delivered[name]):
            if not waiting:
                break
            taken.append(waiting.popleft())
        if not waiting:
            del inbox.external[name]
    return taken


def _advances_retry(task: Task, event: Event) -> bool:
    if task.kind is Kind.RETRY_TIMER:
        return not task.last
    return task.attempt > 0 and event["EventType"] in FAILURES


def _advance_retry(instance: Instance, plan: Plan, event: Event) -> None:
    """Give ids to what the SDK makes of a failed attempt, or of a retry timer that fired."""
    task_id = instance.completed_id(event)
    assert task_id is not None
    task = instance.close_task(task_id)
    root = instance.roots[task.root]
    retry = root.retry
    assert retry is not None
    if task.kind is Kind.RETRY_TIMER:
        following = derive(instance.next_id, root.kind, root, attempt=task.attempt + 1)
        if following.kind is Kind.CHILD:
            following.child_id = root.child_id if root.explicit else instance.auto_child_id()
    else:
        last = task.attempt >= max(1, retry.max_attempts)
        delay = 0 if last else retry.delay_micros(task.attempt)
        following = derive(
            instance.next_id,
            Kind.RETRY_TIMER,
            root,
            attempt=task.attempt,
            last=last,
            due=plan.at + delay,
        )
    _schedule(instance, plan, following)


def _schedule(instance: Instance, plan: Plan, task: Task) -> None:
    instance.next_id = max(instance.next_id, task.id + 1)
    instance.add_task(task)
    plan.scheduled.append(task)
    plan.marks.tasks.append(task)


def _reschedule(instance: Instance, plan: Plan) -> None:
    """After a rewind: schedule again, under their ids, the tasks whose failure was taken back."""
    for task in [task for task in instance.open.values() if task.unscheduled]:
        task.unscheduled = False
        _schedule(instance, plan, task)


def _gated(instance: Instance, inbox: Inbox, plan: Plan, control: list[Event]) -> Plan | None:
    """After the verdict: write down what arrives, run nothing, end when nothing blocks."""
    messages = {id(message.event): message for message in inbox.completions}
    plain, advancing = _deliverable(instance, inbox, plan)
    plan.history = control + plain
    for event in plain:
        apply_event(instance, event)
    for event in advancing:
        # A retry timer that fired stays open; it no longer blocks.
        if event["EventType"] in FAILURES:
            instance.hold(event["TaskScheduledId"])
            inbox.held.append(messages[id(event)])
            plan.taken.remove(messages[id(event)])
    plan.taken += inbox.wakes
    inbox.wakes = []
    if instance.blocking == 0:
        _close(instance, plan)
    return plan if plan.history or plan.taken or plan.ended else None


def finish(instance: Instance, plan: Plan, text: str, limits: Limits, trace: str = "") -> None:
    """Complete an episode's plan with the orchestrator's reply.

    The reply's new actions are scheduled whatever its verdict is.

    Args:
        text: the reply as the SDK wrote it.
        trace: of the exception that the reply speaks of, if it does.
    Raises:
        MalformedReply: it is not what the protocol says.
    """
    verdict = None
    if text != instance.last_reply:
        reply = parse_reply(text)
        divergence = _take_leaves(instance, plan, reply)
        if divergence is not None:
            verdict = Verdict(Status.FAILED, divergence, _details(divergence, ""))
        else:
            verdict = _verdict(instance, reply, limits, trace)
        instance.last_reply = text
    _conclude(instance, plan, verdict, limits)


def fail(instance: Instance, plan: Plan, error: str, limits: Limits, trace: str = "") -> None:
    """Complete an episode's plan when the code raised and its actions are not known."""
    text = orchestrator_failed(instance.name, error)
    _conclude(instance, plan, Verdict(Status.FAILED, text, _details(error, trace)), limits)


def _conclude(instance: Instance, plan: Plan, verdict: Verdict | None, limits: Limits) -> None:
    plan.scheduled.sort(key=lambda task: task.id)
    plan.history = plan.new + [
        scheduling_event(instance, task, plan.at, limits.store_inputs) for task in plan.scheduled
    ]
    if verdict is not None:
        instance.set_verdict(verdict)
        if instance.blocking == 0:
            _close(instance, plan)
    plan.history.append(events.orchestrator_completed(plan.at))


def _close(instance: Instance, plan: Plan) -> None:
    """Carry out the verdict."""
    verdict = instance.verdict
    assert verdict is not None
    if verdict.status is not Status.CONTINUED_AS_NEW:
        plan.history.append(events.execution_completed(plan.at, verdict.status, verdict.output))
    _end(instance, plan, verdict)


def _end(instance: Instance, plan: Plan, verdict: Verdict) -> None:
    plan.ended = verdict
    if verdict.status is not Status.CONTINUED_AS_NEW:
        instance.status, instance.output = verdict.status, verdict.output


def _take_leaves(instance: Instance, plan: Plan, reply: Reply) -> str | None:
    """Give ids to the reply's new leaves and cancel its cancelled timers.

    Returns: what to say if the leaves do not begin with those of earlier replies.
    """
    known = len(instance.log)
    keys = [leaf_key(action) for action in reply.leaves]
    divergence = find_divergence(instance.log, instance.log_ids, keys[:known])
    if divergence is not None:
        return divergence
    for action, key in zip(reply.leaves[known:], keys[known:], strict=True):
        task = task_of_leaf(instance, action)
        if task is not None:
            _schedule(instance, plan, task)
        task_id = -1 if task is None else task.id
        instance.note_leaf(key, task_id)
        plan.marks.leaves.append((*key, task_id))
    for index, action in enumerate(reply.leaves):
        if action["actionType"] == TIMER and action.get("isCanceled"):
            task_id = instance.log_ids[index]
            if instance.cancel_timer(task_id):
                plan.marks.cancelled.append(task_id)
    return None


def _verdict(instance: Instance, reply: Reply, limits: Limits, trace: str) -> Verdict | None:
    """How the execution ends, if the reply says that it does. Takes the custom status."""
    too_large = custom_status_too_large(reply.custom_status)
    if too_large is None:
        instance.custom_status = reply.custom_status
    error = reply.error or too_large
    if error is None and len(instance.log) > limits.max_actions:
        error = actions_exceeded(limits.max_actions)
    if error is not None:
        text = orchestrator_failed(instance.name, error)
        return Verdict(Status.FAILED, text, _details(error, trace))
    if not reply.is_done:
        return None
    successor = _continue_as_new(reply.leaves)
    if successor is not None:
        carried = json.dumps(successor.get("input"))
        return Verdict(Status.CONTINUED_AS_NEW, carried_input=carried)
    return Verdict(Status.COMPLETED, reply.output)


def _continue_as_new(leaves: list[Action]) -> Action | None:
    return next((leaf for leaf in leaves if leaf["actionType"] == CONTINUE_AS_NEW), None)


def _details(error: str, trace: str) -> str:
    return f"Message: {error}, StackTrace: {trace}"
