"""Waiting for orders and batches to come to an end, by the API's own long polling."""

import time
from collections.abc import Callable
from typing import Any

from cli.client import ApiError

FINAL = frozenset({"processed", "rejected", "failed", "terminated", "completed"})
# What one request asks the server to wait; the server allows 30 s at most.
_LONG_POLL_S = 10


def is_final(status: dict[str, Any]) -> bool:
    """Whether a status body says that nothing more will happen by itself."""
    return status.get("state") in FINAL


def wait_for(
    poll: Callable[[int], dict[str, Any]],
    *,
    deadline: float,
    seen: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Poll until the state is final or the deadline (monotonic seconds) has passed.

    Args:
        poll: asks once, waiting at the server up to the seconds given.
        seen: told every status.

    Returns: the last status, which is not final if the deadline came first.
    """
    while True:
        left = deadline - time.monotonic()
        started = time.monotonic()
        try:
            status = poll(max(1, min(_LONG_POLL_S, int(left))))
        except ApiError as error:
            if error.status != 429 or left <= 0:
                raise
            time.sleep(min(max(left, 0), error.retry_after_s or 1))
            continue
        seen(status)
        if is_final(status) or time.monotonic() >= deadline:
            return status
        # A server that does not know `Prefer: wait` answers at once: ask it once a second.
        time.sleep(max(0.0, min(1.0 - (time.monotonic() - started), deadline - time.monotonic())))
