"""Makes the tasks that no reply asks for: retry timers, later attempts, rewound tasks. Pure.

Source: protocol specification, 3.5 (rule 4), 3.6 (A) and 10.10. Called by `turns`.
"""

from emulator.taskhub.chunks import derive
from emulator.taskhub.model import Event
from emulator.taskhub.plan import Plan, schedule
from emulator.taskhub.state import Instance, Kind


def advance_retry(instance: Instance, plan: Plan, event: Event) -> None:
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
    schedule(instance, plan, following)


def reschedule(instance: Instance, plan: Plan) -> None:
    """After a rewind: schedule again, under their ids, the tasks whose failure was taken back."""
    for task in [task for task in instance.open.values() if task.unscheduled]:
        task.unscheduled = False
        schedule(instance, plan, task)
