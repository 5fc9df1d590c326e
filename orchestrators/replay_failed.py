"""A bulk replay: puts a replay message for each order on the queue, a bounded number a second.

The messages go the way of every order, so what redelivery, conflict and back-pressure mean is
decided in one place (`ProcessOrders`). Started by `ReplayFailedOrders`.
"""

from datetime import timedelta

from domain.payloads import QUEUE_REPLAYS, ReplayFailedInput
from orchestrators._context import OrchestrationContext, Steps
from orchestrators._retry import GaveUp, Unobserved, call_with_retry


class ReplayStopped(Exception):
    """The queue could not be reached; what had been put on it by then is being replayed."""


def replay_failed(context: OrchestrationContext) -> Steps:
    """Queues every replay and returns `{"total": n, "queued": n}`.

    Raises:
        ReplayStopped: the queue could not be reached for longer than the policy allows.
    """
    given = ReplayFailedInput.from_dict(context.get_input())
    total, queued = len(given.orders), 0
    context.set_custom_status({"total": total, "queued": 0})
    while queued < total:
        group = given.orders[queued : queued + given.per_second]
        due = context.current_utc_datetime + timedelta(seconds=1)
        try:
            yield from call_with_retry(context, QUEUE_REPLAYS, given.part(group), Unobserved())
        except GaveUp as end:
            raise ReplayStopped(f"{queued} of {total} were queued: {end.failure.message}") from None
        queued += len(group)
        context.set_custom_status({"total": total, "queued": queued})
        if queued < total:
            yield context.create_timer(due)
    return {"total": total, "queued": queued}
