"""Start once: every earlier run and what it means."""

import pytest

from domain.payloads import Source
from domain.starting import ACTIVE, ENDED_BADLY, Decision, EarlierRun, Start, decide_start


def test_without_an_earlier_run_the_first_attempt_starts() -> None:
    assert decide_start("d", None) == Start(Decision.START, 1)


@pytest.mark.parametrize("status", sorted(ACTIVE | {"Completed"}))
def test_the_same_content_does_not_start_again(status: str) -> None:
    assert decide_start("d", EarlierRun(status, "d", 3)).decision is Decision.SAME


@pytest.mark.parametrize("status", sorted(ACTIVE | {"Completed"}))
def test_other_content_is_refused(status: str) -> None:
    assert decide_start("d", EarlierRun(status, "other", 1)).decision is Decision.CONFLICT


@pytest.mark.parametrize("status", sorted(ENDED_BADLY))
@pytest.mark.parametrize("digest", ["d", "other", None])
def test_after_a_failure_the_next_attempt_starts(status: str, digest: str | None) -> None:
    assert decide_start("d", EarlierRun(status, digest, 3)) == Start(Decision.START, 4)


@pytest.mark.parametrize("status", sorted(ENDED_BADLY | ACTIVE | {"Completed"}))
@pytest.mark.parametrize("digest", ["d", "corrected since"])
def test_a_message_that_is_delivered_again_starts_nothing(status: str, digest: str) -> None:
    earlier = EarlierRun(status, digest, 3, Source("m-1", "2026-11-20T09:30:00.000Z"))
    again = Source("m-1", "2026-11-20T09:30:00.000Z")
    assert decide_start("d", earlier, again) == Start(Decision.SAME, 3)


@pytest.mark.parametrize(
    "source", [Source("m-1", "2026-11-21T09:30:00.000Z"), Source("m-1"), Source(), None]
)
def test_a_failed_order_that_is_sent_anew_is_tried_again(source: Source | None) -> None:
    earlier = EarlierRun("Failed", "d", 1, Source("m-1", "2026-11-20T09:30:00.000Z"))
    assert decide_start("d", earlier, source) == Start(Decision.START, 2)
    assert decide_start("d", EarlierRun("Failed", "d", 1, Source()), source).attempt == 2
