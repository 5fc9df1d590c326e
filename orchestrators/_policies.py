"""One retry policy per activity: how long to wait, how often, and when to give up.

Pure numbers; `_retry.py` carries them out. Which error codes are not worth a retry is the same for
all (`domain.errors`), so that a refusal by the store means the same wherever it is met; a policy
adds codes of its own in `final_codes`.
"""

from dataclasses import dataclass

from domain import keys
from domain.errors import Failure
from domain.payloads import (
    ADMIT_BATCH,
    ENRICH_ORDER,
    KEEP_RESULTS,
    NOTIFY_ORDER,
    PERSIST_ORDER,
    QUEUE_REPLAYS,
    VALIDATE_ORDER,
)


@dataclass(frozen=True)
class RetryPolicy:
    """How an activity is tried again.

    Attributes:
        first_interval_s: wait after the first failed attempt.
        backoff: each further wait is this many times the one before.
        cap_s: no wait is longer than this, jitter included.
        jitter: share of the wait by which it may be shorter or longer.
        max_attempts: attempts in all, the first included.
        deadline_s: no attempt begins later than this after the first began.
        final_codes: codes that end it at once, beside those that never help.
    """

    first_interval_s: float
    backoff: float
    cap_s: float
    jitter: float
    max_attempts: int
    deadline_s: float
    final_codes: frozenset[str] = frozenset()

    def delay_s(
        self, failure: Failure, attempt: int, elapsed_s: float, instance_id: str, step: str
    ) -> float | None:
        """Seconds to wait after failed attempt number `attempt`; None when it was the last.

        Args:
            elapsed_s: since the first attempt began.
            instance_id, step: what the jitter is made from, so that a replay waits as long.
        """
        if not failure.is_retryable or failure.code in self.final_codes:
            return None
        if attempt >= self.max_attempts:
            return None
        plain = min(self.cap_s, self.first_interval_s * self.backoff ** (attempt - 1))
        spread = 1 + self.jitter * keys.jitter_fraction(instance_id, step, attempt)
        delay = round(min(self.cap_s, plain * spread), 3)
        return delay if elapsed_s + delay <= self.deadline_s else None


POLICIES: dict[str, RetryPolicy] = {
    # Computes only: what fails it is a worker that went away, or a mistake in the program.
    VALIDATE_ORDER: RetryPolicy(1, 2, 10, 0.2, max_attempts=3, deadline_s=60),
    ENRICH_ORDER: RetryPolicy(1, 2, 30, 0.2, max_attempts=5, deadline_s=300),
    PERSIST_ORDER: RetryPolicy(1, 2, 30, 0.2, max_attempts=6, deadline_s=600),
    NOTIFY_ORDER: RetryPolicy(1, 2, 30, 0.2, max_attempts=6, deadline_s=600),
    ADMIT_BATCH: RetryPolicy(1, 2, 30, 0.2, max_attempts=8, deadline_s=900),
    QUEUE_REPLAYS: RetryPolicy(1, 2, 30, 0.2, max_attempts=8, deadline_s=900),
    # Runs when an order has failed already; worth a moment, not minutes.
    KEEP_RESULTS: RetryPolicy(1, 2, 5, 0.2, max_attempts=3, deadline_s=30),
}
