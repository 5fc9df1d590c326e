"""Start once: whether an order, or a batch, is started, is there already, or is refused.

One place for the rule of design 3.2, used by the queue function and by the HTTP one. What the
earlier run looks like is read by the caller.
"""

from dataclasses import dataclass
from enum import StrEnum

from domain.payloads import Source

ACTIVE = frozenset({"Pending", "Running", "Suspended", "ContinuedAsNew"})
ENDED_BADLY = frozenset({"Failed", "Terminated", "Canceled"})


class Decision(StrEnum):
    """What to do with an order that arrives."""

    START = "start"
    SAME = "same"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class EarlierRun:
    """What is known of the run that has the same id; `source` is the message that it came by."""

    runtime_status: str
    digest: str | None
    attempt: int
    source: Source | None = None


@dataclass(frozen=True)
class Start:
    """The decision, and the attempt that a start would be."""

    decision: Decision
    attempt: int


def decide_start(digest: str, earlier: EarlierRun | None, source: Source | None = None) -> Start:
    """Whether to start the content with this digest.

    - no earlier run: the first attempt starts;
    - the very message that started the earlier run is delivered again: nothing starts, however
      that run ended. Its completion was lost, and a failed order is not tried again by accident;
    - the earlier run failed or was stopped: the next attempt starts, whatever its content;
    - the same content is running or was completed: nothing starts;
    - other content is running or was completed: refused.
    """
    if earlier is None:
        return Start(Decision.START, 1)
    if _is_redelivery(source, earlier.source):
        return Start(Decision.SAME, earlier.attempt)
    if earlier.runtime_status in ENDED_BADLY:
        return Start(Decision.START, earlier.attempt + 1)
    same = earlier.digest == digest
    return Start(Decision.SAME if same else Decision.CONFLICT, earlier.attempt)


def _is_redelivery(source: Source | None, earlier: Source | None) -> bool:
    """Whether both are one message: its id alone may be its sender's, who may send it anew."""
    if source is None or earlier is None or source.message_id is None or source.enqueued_at is None:
        return False
    return (source.message_id, source.enqueued_at) == (earlier.message_id, earlier.enqueued_at)
