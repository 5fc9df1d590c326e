"""Rate-limit windows: sliding (classic tiers) and token bucket (v2 tiers).

Pure but for its memory: the time is handed in. Checking and counting happen between two awaits of
one event loop, so no call slips in between.

DIFFERS: exact, where real gateways are distributed and may let a few more calls pass. A refused
call is not counted (assumed).
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

# Idle keys are looked for after so many counted calls.
_SWEEP_EVERY = 1024


@dataclass(frozen=True)
class Verdict:
    """Whether a call may pass.

    Attributes:
        remaining: calls left before it is counted.
        retry_after_s: whole seconds until a call would pass; 0 if one passes now.
    """

    allowed: bool
    remaining: int
    retry_after_s: int


class Limiter(Protocol):
    """A window over the calls of each key."""

    def check(self, key: str, calls: int, period_s: int, now: float) -> Verdict:
        """Whether a call of the key may pass now; counts nothing."""

    def count(self, key: str, calls: int, period_s: int, now: float, amount: int) -> None:
        """Count a call (or several, or none)."""


def make_limiter(tier: str) -> Limiter:
    """The limiter of a tier: `classic` or `v2`."""
    return TokenBucket() if tier == "v2" else SlidingWindow()


@dataclass
class _Calls:
    """The counted calls of a key: when, and how many."""

    times: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0
    period_s: int = 0


class SlidingWindow:
    """Keeps the instants of the calls of the last period."""

    def __init__(self) -> None:
        self._keys: dict[str, _Calls] = {}
        self._until_sweep = _SWEEP_EVERY

    def check(self, key: str, calls: int, period_s: int, now: float) -> Verdict:
        found = self._recent(key, period_s, now)
        if found is None or found.total < calls:
            return Verdict(True, calls - (found.total if found else 0), 0)
        excess, leaves = found.total - calls + 1, now
        for instant, amount in found.times:
            excess -= amount
            leaves = instant
            if excess <= 0:
                break
        return Verdict(False, 0, _whole_seconds(leaves + period_s - now))

    def count(self, key: str, calls: int, period_s: int, now: float, amount: int) -> None:  # noqa: ARG002 - the bucket needs it
        if amount <= 0:
            return
        found = self._keys.setdefault(key, _Calls())
        found.times.append((now, amount))
        found.total += amount
        found.period_s = max(found.period_s, period_s)
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            self._sweep(now)

    def _recent(self, key: str, period_s: int, now: float) -> _Calls | None:
        found = self._keys.get(key)
        if found is None:
            return None
        found.period_s = max(found.period_s, period_s)
        while found.times and now - found.times[0][0] >= found.period_s:
            found.total -= found.times.popleft()[1]
        if found.period_s > period_s:
            return _within(found, period_s, now)
        return found

    def _sweep(self, now: float) -> None:
        self._until_sweep = _SWEEP_EVERY
        for key, found in list(self._keys.items()):
            if not found.times or now - found.times[-1][0] >= found.period_s:
                del self._keys[key]


def _within(found: _Calls, period_s: int, now: float) -> _Calls:
    """The calls of a shorter period than the longest in which the key is used."""
    recent = deque(item for item in found.times if now - item[0] < period_s)
    return _Calls(recent, sum(amount for _, amount in recent), period_s)


@dataclass
class _Bucket:
    tokens: float
    updated: float
    full_at: float


class TokenBucket:
    """Holds `calls` tokens, refilled continuously (assumed) at `calls` for each period."""

    def __init__(self) -> None:
        self._keys: dict[str, _Bucket] = {}
        self._until_sweep = _SWEEP_EVERY

    def check(self, key: str, calls: int, period_s: int, now: float) -> Verdict:
        tokens = self._tokens(key, calls, period_s, now)
        # Sums of fractions fall short of a whole token by a hair.
        if tokens >= 1 - 1e-9:
            return Verdict(True, int(tokens + 1e-9), 0)
        return Verdict(False, 0, _whole_seconds((1 - tokens) * period_s / calls))

    def count(self, key: str, calls: int, period_s: int, now: float, amount: int) -> None:
        if amount <= 0:
            return
        tokens = max(0.0, self._tokens(key, calls, period_s, now) - amount)
        full_at = now + (calls - tokens) * period_s / calls
        self._keys[key] = _Bucket(tokens, now, full_at)
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            self._until_sweep = _SWEEP_EVERY
            self._keys = {k: bucket for k, bucket in self._keys.items() if bucket.full_at > now}

    def _tokens(self, key: str, calls: int, period_s: int, now: float) -> float:
        found = self._keys.get(key)
        if found is None:
            return float(calls)
        return min(float(calls), found.tokens + (now - found.updated) * calls / period_s)


def _whole_seconds(seconds: float) -> int:
    """Rounded up, at least 1."""
    return max(1, math.ceil(round(seconds, 6)))
