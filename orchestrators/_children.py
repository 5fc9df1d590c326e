"""Waits for many child orchestrations so that one that fails takes nothing from the others.

`task_all` of the 1.x library ends with the first failure and drops the other results. All children
are asked for in one go and then met in the order in which they end: on Azure the extension awaits
each newly requested `task_any` by itself, so a window that is refilled child by child would run
one by one there.
"""

from collections.abc import Generator, Sequence
from typing import Any

from orchestrators._context import OrchestrationContext, Task


def in_turn(
    context: OrchestrationContext, children: Sequence[tuple[Task, Any]], each: Any
) -> Generator[Task, Any, None]:
    """Calls `each(what, result)` for every (task, what) as it ends.

    The result of a failed child is its exception.
    """
    pending = list(children)
    while pending:
        winner = yield context.task_any([task for task, _ in pending])
        ended = next(what for task, what in pending if task is winner)
        pending = [(task, what) for task, what in pending if task is not winner]
        each(ended, _result(winner))


def _result(task: Task) -> Any:
    try:
        return task.result
    except Exception as error:  # noqa: BLE001 - a newer library raises here what 1.x returns
        return error
