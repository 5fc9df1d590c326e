"""Takes out of an inbox what may be delivered now, in the order in which the SDK must see it. Pure.

Completions only for open tasks of this execution (D3), an external event only for a wait (D4), what
advances a retry before all else (D5): the SDK numbers a retry's next task when it sees the failure,
and everything after it depends on that number.

Source: protocol specification, 3.7. Called by `turns`.
"""

from emulator.taskhub import events
from emulator.taskhub.events import FAILURES
from emulator.taskhub.inbox import Inbox, Message
from emulator.taskhub.model import Event
from emulator.taskhub.plan import Plan
from emulator.taskhub.state import Instance, Kind, Task


def deliverable(instance: Instance, inbox: Inbox, plan: Plan) -> tuple[list[Event], list[Event]]:
    """Take what may be delivered now: plain events, and those that advance a retry.

    Each in order of arrival; a timer arrives when it is due. What belongs to no open task is taken
    out of the inbox and dropped (D3).
    """
    arrived: list[tuple[int, Event, Task | None]] = []
    closing: set[int] = set()
    for message in inbox.completions:
        plan.taken.append(message)
        task = _addressee(instance, message, closing)
        if task is None:
            plan.dropped.append(message)
        elif message.event is not None:
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
