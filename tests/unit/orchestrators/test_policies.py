"""How long a failed attempt waits, and when it was the last."""

import pytest

from domain.errors import Failure
from domain.payloads import STEPS
from orchestrators._policies import POLICIES, RetryPolicy

PLAIN = RetryPolicy(1, 2, 30, 0, max_attempts=6, deadline_s=600)
BUSY = Failure("STORE_BUSY", "m", True)


def waits(policy: RetryPolicy, failure: Failure = BUSY) -> list[float]:
    """The waits of an order whose activity always fails at once."""
    told: list[float] = []
    while (delay := policy.delay_s(failure, len(told) + 1, sum(told), "ORD-1", "s")) is not None:
        told.append(delay)
    return told


def test_waits_grow_up_to_the_cap_and_stop_with_the_attempts() -> None:
    assert waits(PLAIN) == [1, 2, 4, 8, 16]
    assert waits(RetryPolicy(10, 3, 30, 0, max_attempts=4, deadline_s=600)) == [10, 30, 30]


def test_no_attempt_begins_after_the_deadline() -> None:
    assert waits(RetryPolicy(1, 2, 30, 0, max_attempts=50, deadline_s=10)) == [1, 2, 4]


def test_what_never_helps_is_not_tried_again() -> None:
    assert waits(PLAIN, Failure("STORE_REFUSED", "m", False)) == []


def test_a_policy_can_have_final_codes_of_its_own() -> None:
    policy = RetryPolicy(1, 2, 30, 0, 6, 600, final_codes=frozenset({"STORE_BUSY"}))
    assert waits(policy) == []


def test_one_attempt_has_no_wait() -> None:
    assert waits(RetryPolicy(1, 2, 30, 0, max_attempts=1, deadline_s=600)) == []


def test_jitter_is_the_same_at_every_replay_and_not_the_same_for_every_order() -> None:
    policy = RetryPolicy(8, 2, 30, 0.2, max_attempts=3, deadline_s=600)
    delays = {policy.delay_s(BUSY, 1, 0, f"ORD-{n}", "persist") for n in range(50)}
    again = {policy.delay_s(BUSY, 1, 0, f"ORD-{n}", "persist") for n in range(50)}
    assert delays == again
    assert len(delays) > 40
    assert all(delay is not None and 6.4 <= delay <= 9.6 for delay in delays)


@pytest.mark.parametrize("activity", STEPS.values())
def test_every_step_has_a_policy_that_ends(activity: str) -> None:
    policy = POLICIES[activity]
    assert 1 < policy.max_attempts < 20
    assert 0 < policy.deadline_s <= 900
