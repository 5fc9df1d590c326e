"""Carries out a retry policy with plain activity calls and durable timers, one step at a time.

Why not the library's own retries: `RetryOptions` of 1.x has neither backoff nor error classes, adds
a timer after the last attempt, and can leave an instance hanging when mixed with `task_any`. Here
at most one task is outstanding, and nothing is after the last attempt.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from domain.errors import Failure, read_failure
from orchestrators._context import OrchestrationContext, Steps
from orchestrators._policies import POLICIES, RetryPolicy


class GaveUp(Exception):
    """The activity failed for the last time."""

    def __init__(self, failure: Failure, attempts: int) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.attempts = attempts


class Observer(Protocol):
    """Is told how it goes, to show it."""

    def attempt_begins(self, attempt: int) -> None: ...

    def waits(self, attempt: int, failure: Failure, until: datetime) -> None: ...


class Unobserved:
    """Shows nothing."""

    def attempt_begins(self, attempt: int) -> None:
        """Nothing to show."""

    def waits(self, attempt: int, failure: Failure, until: datetime) -> None:
        """Nothing to show."""


def call_with_retry(
    context: OrchestrationContext,
    activity: str,
    payload: Mapping[str, Any],
    observer: Observer,
) -> Steps:
    """The activity's result, after as many attempts as its policy allows.

    Raises:
        GaveUp: the failure of the last attempt.
    """
    policy: RetryPolicy = POLICIES[activity]
    began = context.current_utc_datetime
    attempt = 1
    while True:
        observer.attempt_begins(attempt)
        try:
            return (yield context.call_activity(activity, payload))
        except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
            failure = read_failure(str(error))
        now = context.current_utc_datetime
        elapsed_s = (now - began).total_seconds()
        delay_s = policy.delay_s(failure, attempt, elapsed_s, context.instance_id, activity)
        if delay_s is None:
            raise GaveUp(failure, attempt)
        until = now + timedelta(seconds=delay_s)
        observer.waits(attempt, failure, until)
        yield context.create_timer(until)
        attempt += 1
