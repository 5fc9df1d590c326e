"""Who wants which events of a topic: subscriptions with their filters and their patience.

Pure. JSON (of `infra/entities.json`) becomes a dataclass here. Left out: advanced filters, labels.

Source: Event Grid documentation, "Event filtering for Event Grid subscriptions" and "Event Grid
message delivery and retry".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MEMBERS = {
    *("name", "topic", "function", "includedEventTypes", "subjectBeginsWith", "subjectEndsWith"),
    *("maxDeliveryAttempts", "eventTimeToLiveInMinutes"),
}
_ATTEMPTS = (1, 30)
_MINUTES = (1, 1440)
# The service's own schedule; the last goes on.
_SCHEDULE_S = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)


@dataclass(frozen=True)
class Subscription:
    """A subscription that delivers to a function.

    Attributes:
        event_types: the only ones that are wanted; none of them means all.

    Raises:
        ValueError: a value is outside what Event Grid allows.
    """

    name: str
    topic: str
    function: str
    event_types: tuple[str, ...] = ()
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    max_attempts: int = 30
    time_to_live_min: int = 1440

    def __post_init__(self) -> None:
        if not (self.name and self.topic and self.function):
            raise ValueError("A subscription of Event Grid needs 'name', 'topic' and 'function'.")
        if not _ATTEMPTS[0] <= self.max_attempts <= _ATTEMPTS[1]:
            raise ValueError(f"'{self.name}': maxDeliveryAttempts must be from 1 to 30.")
        if not _MINUTES[0] <= self.time_to_live_min <= _MINUTES[1]:
            raise ValueError(f"'{self.name}': eventTimeToLiveInMinutes must be from 1 to 1440.")

    @staticmethod
    def from_entity(entity: Mapping[str, Any]) -> "Subscription":
        """Read one entry of `eventGrid.subscriptions` of the entities file.

        Raises:
            ValueError: a member is unknown, missing, or has a value that Azure would refuse.
        """
        unknown = sorted(set(entity) - _MEMBERS)
        if unknown:
            raise ValueError(f"'{entity.get('name')}': unknown member '{unknown[0]}'.")
        return Subscription(
            name=str(entity.get("name", "")),
            topic=str(entity.get("topic", "")),
            function=str(entity.get("function", "")),
            event_types=tuple(entity.get("includedEventTypes") or ()),
            subject_begins_with=str(entity.get("subjectBeginsWith", "")),
            subject_ends_with=str(entity.get("subjectEndsWith", "")),
            max_attempts=int(entity.get("maxDeliveryAttempts", _ATTEMPTS[1])),
            time_to_live_min=int(entity.get("eventTimeToLiveInMinutes", _MINUTES[1])),
        )

    def wants(self, topic: str, event_type: str, subject: str) -> bool:
        """Whether an event passes; subjects are compared without regard to case."""
        subject = subject.lower()
        return (
            topic.lower() == self.topic.lower()
            and (not self.event_types or event_type in self.event_types)
            and subject.startswith(self.subject_begins_with.lower())
            and subject.endswith(self.subject_ends_with.lower())
        )

    def pause_s(self, attempts: int) -> int:
        """How long to wait after so many attempts, at least 1."""
        return _SCHEDULE_S[min(attempts, len(_SCHEDULE_S)) - 1]

    def given_up(self, attempts: int, age_s: float) -> str | None:
        """Why an event is not tried again after so many attempts and seconds, or None."""
        if attempts >= self.max_attempts:
            return "MaxDeliveryAttemptsExceeded"
        if age_s >= self.time_to_live_min * 60:
            return "TimeToLiveExceeded"
        return None
