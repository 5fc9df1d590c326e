"""Decides what an instance does next: an episode, a change of status without one, or nothing. Pure.

`prepare` takes what has arrived and changes the instance accordingly; what code runs and what it
says is `episode`'s subject. The caller stores the plan in one transaction, and on failure throws
the instance away and reads it again.

Source: protocol specification, 3.7 (D1, D2), 3.8, 10.5, 10.6. Called by the engine.
"""

from emulator.taskhub import events
from emulator.taskhub.chunks import apply_event
from emulator.taskhub.delivery import deliverable
from emulator.taskhub.events import FAILURES
from emulator.taskhub.inbox import Inbox, MessageKind
from emulator.taskhub.model import Event
from emulator.taskhub.plan import Plan, close, end
from emulator.taskhub.retries import advance_retry, reschedule
from emulator.taskhub.state import Instance, Status, Verdict


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
        plan.history = control
        if instance.verdict is None:
            plan.history = _episode(instance, plan, control)
        return plan
    if instance.verdict is not None:
        return _gated(instance, inbox, plan, control)
    delivered, advancing = deliverable(instance, inbox, plan)
    if instance.is_started and not (control or delivered or advancing or inbox.wakes):
        return plan if plan.taken else None
    _begin(instance, plan, control + advancing + delivered, set(map(id, advancing)))
    plan.taken += inbox.wakes
    if inbox.wakes:
        inbox.wakes = []
        reschedule(instance, plan)
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
            advance_retry(instance, plan, event)
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


def _episode(instance: Instance, plan: Plan, happened: list[Event]) -> list[Event]:
    """An episode in which no code runs."""
    instance.clock = plan.at
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
    plan.history = _episode(instance, plan, happened)
    end(instance, plan, Verdict(Status.TERMINATED, reason))
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


def _gated(instance: Instance, inbox: Inbox, plan: Plan, control: list[Event]) -> Plan | None:
    """After the verdict: write down what arrives, run nothing, end when nothing blocks."""
    messages = {id(message.event): message for message in inbox.completions}
    plain, advancing = deliverable(instance, inbox, plan)
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
        close(instance, plan)
    return plan if plan.history or plan.taken or plan.ended else None
