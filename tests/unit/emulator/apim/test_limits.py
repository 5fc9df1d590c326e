"""Rate-limit windows against the worked example and against a plain model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.apim.limits import Limiter, SlidingWindow, TokenBucket, make_limiter


def _calls(limiter: Limiter, at: list[float], calls: int = 5, period_s: int = 60) -> list[str]:
    """What becomes of calls: the remaining ones, or `!` and the seconds to wait."""
    found = []
    for now in at:
        verdict = limiter.check("k", calls, period_s, now)
        if verdict.allowed:
            limiter.count("k", calls, period_s, now, 1)
            found.append(str(verdict.remaining - 1))
        else:
            found.append(f"!{verdict.retry_after_s}")
    return found


def test_the_sliding_window_of_the_worked_example() -> None:
    found = _calls(make_limiter("classic"), [0, 1, 2, 3, 4, 5, 30, 60, 60.5])
    assert found == ["4", "3", "2", "1", "0", "!55", "!30", "0", "!1"]


def test_the_token_bucket_of_the_worked_example() -> None:
    found = _calls(make_limiter("v2"), [0, 1, 2, 3, 4, 5, 30, 60, 60.5])
    assert [text[0] == "!" for text in found] == [False] * 5 + [True] + [False] * 3
    assert found[5] == "!7"


def test_an_empty_bucket_gives_a_call_back_after_its_share_of_the_period() -> None:
    limiter = TokenBucket()
    assert _calls(limiter, [0] * 6) == ["4", "3", "2", "1", "0", "!12"]
    assert _calls(limiter, [11.9, 12.0, 12.1]) == ["!1", "0", "!12"]


def test_keys_do_not_share() -> None:
    limiter = SlidingWindow()
    _calls(limiter, [0] * 5)
    assert limiter.check("other", 5, 60, 0).remaining == 5


def test_several_units_may_be_counted_at_once_and_none() -> None:
    limiter = SlidingWindow()
    limiter.count("k", 5, 60, 0, 4)
    limiter.count("k", 5, 60, 1, 0)
    assert limiter.check("k", 5, 60, 1).remaining == 1
    limiter.count("k", 5, 60, 2, 3)
    assert limiter.check("k", 5, 60, 3).retry_after_s == 57


def test_one_key_may_be_used_with_two_periods() -> None:
    limiter = SlidingWindow()
    for now in (0, 10, 20, 30):
        limiter.count("k", 5, 60, now, 1)
    assert limiter.check("k", 2, 10, 35).remaining == 1
    assert limiter.check("k", 5, 60, 35).remaining == 1
    assert limiter.check("k", 4, 60, 35).retry_after_s == 25


@pytest.mark.parametrize("limiter", [SlidingWindow(), TokenBucket()])
def test_idle_keys_are_forgotten(limiter: SlidingWindow | TokenBucket) -> None:
    for n in range(5_000):
        limiter.count(f"k{n}", 5, 60, float(n), 1)
    assert len(limiter._keys) < 1_500


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.integers(1, 6), st.integers(1, 30))
def test_a_window_never_holds_more_calls_than_allowed(
    gaps: list[float], calls: int, period_s: int
) -> None:
    limiter, now, passed = SlidingWindow(), 0.0, []
    for gap in gaps:
        now += gap
        verdict = limiter.check("k", calls, period_s, now)
        recent = [at for at in passed if now - at < period_s]
        assert verdict.allowed == (len(recent) < calls)
        if verdict.allowed:
            limiter.count("k", calls, period_s, now, 1)
            passed.append(now)
        else:
            later = now + verdict.retry_after_s
            assert len([at for at in passed if later - at < period_s - 1e-6]) < calls


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.integers(1, 6), st.integers(1, 30))
def test_a_bucket_lets_no_more_through_than_it_holds_and_is_refilled(
    gaps: list[float], calls: int, period_s: int
) -> None:
    limiter, now, passed = TokenBucket(), 0.0, 0
    for gap in gaps:
        now += gap
        if limiter.check("k", calls, period_s, now).allowed:
            limiter.count("k", calls, period_s, now, 1)
            passed += 1
        assert passed <= calls + now * calls / period_s + 1e-6
