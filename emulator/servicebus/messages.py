"""The words of the broker's callers: a queue's settings, a message on its way in, one on its way
out.

Plain values. JSON (of `infra/entities.json`) becomes a dataclass here and nowhere else. Who calls
it: the host, the server, and the broker itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

# The limits of lock duration and duplicate window are Service Bus' own.
_LOCK_S = (5, 300)
_WINDOW_S = (20, 7 * 86400)
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
# Source: "Naming rules and restrictions for Azure resources", queues of a namespace.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?", re.ASCII)
# `TimeSpan.MaxValue`, which is how Azure writes "no time to live": over 29,000 years.
_WITHOUT_END_S = 10675199 * 86400
_MEMBERS = {
    "name",
    "lockDuration",
    "maxDeliveryCount",
    "requiresDuplicateDetection",
    "duplicateDetectionHistoryTimeWindow",
    "defaultMessageTimeToLive",
    "deadLetteringOnMessageExpiration",
    "maxMessageSizeInKilobytes",
    "requiresSession",
}

Property = str | int | float | bool | None


@dataclass(frozen=True)
class QueueSettings:
    """What an entity is set to; the defaults are Service Bus' own.

    Raises:
        ValueError: a value is outside what Service Bus allows.
    """

    name: str
    lock_duration_s: float = 60
    max_delivery_count: int = 10
    requires_duplicate_detection: bool = False
    duplicate_window_s: float = 600
    default_ttl_s: float | None = None
    dead_letter_on_expiration: bool = False
    max_message_bytes: int = 262144
    requires_session: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or "//" in self.name:
            raise ValueError(
                f"'{self.name}' cannot be the name of a queue: letters, digits, periods, hyphens, "
                "underscores and slashes, and a letter or digit at both ends."
            )
        if not _LOCK_S[0] <= self.lock_duration_s <= _LOCK_S[1]:
            raise ValueError(f"Queue '{self.name}': lockDuration must be from PT5S to PT5M.")
        if self.max_delivery_count < 1:
            raise ValueError(f"Queue '{self.name}': maxDeliveryCount must be at least 1.")
        if not _WINDOW_S[0] <= self.duplicate_window_s <= _WINDOW_S[1]:
            raise ValueError(
                f"Queue '{self.name}': duplicateDetectionHistoryTimeWindow must be from PT20S to "
                "P7D."
            )

    @staticmethod
    def from_entity(entity: Mapping[str, Any]) -> "QueueSettings":
        """Read one entry of `serviceBus.queues` of the entities file.

        Raises:
            ValueError: a member is unknown, missing, or has a value that Azure would refuse.
        """
        unknown = sorted(set(entity) - _MEMBERS)
        if unknown:
            raise ValueError(f"Queue '{entity.get('name')}': unknown member '{unknown[0]}'.")
        ttl_s = parse_duration(entity.get("defaultMessageTimeToLive"), without=_WITHOUT_END_S)
        return QueueSettings(
            name=str(entity.get("name", "")),
            lock_duration_s=parse_duration(entity.get("lockDuration"), without=60),
            max_delivery_count=int(entity.get("maxDeliveryCount", 10)),
            requires_duplicate_detection=bool(entity.get("requiresDuplicateDetection", False)),
            duplicate_window_s=parse_duration(
                entity.get("duplicateDetectionHistoryTimeWindow"), without=600
            ),
            default_ttl_s=None if ttl_s >= _WITHOUT_END_S else ttl_s,
            dead_letter_on_expiration=bool(entity.get("deadLetteringOnMessageExpiration", False)),
            max_message_bytes=int(entity.get("maxMessageSizeInKilobytes", 256)) * 1024,
            requires_session=bool(entity.get("requiresSession", False)),
        )


def parse_duration(text: str | None, *, without: float) -> float:
    """Seconds of an ISO 8601 duration such as `PT1M` or `P14D`; `without` where there is none.

    Raises:
        ValueError: the text is no duration of days and less.
    """
    if text is None:
        return without
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groupdict().values()):
        raise ValueError(f"'{text}' is not an ISO 8601 duration such as PT1M or P14D.")
    return timedelta(**{unit: float(value or 0) for unit, value in match.groupdict().items()}) / (
        timedelta(seconds=1)
    )


@dataclass(frozen=True)
class OutgoingMessage:
    """A message as its sender gives it. Without a message id it gets a new one."""

    body: bytes
    message_id: str | None = None
    content_type: str | None = None
    subject: str | None = None
    correlation_id: str | None = None
    session_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    reply_to_session_id: str | None = None
    partition_key: str | None = None
    time_to_live_s: float | None = None
    scheduled_enqueue_time: datetime | None = None
    application_properties: Mapping[str, Property] = field(default_factory=dict)


@dataclass(frozen=True)
class ReceivedMessage:
    """A message as a receiver sees it.

    Attributes:
        queue: the entity's name as it was created, without the dead-letter suffix.
        delivery_count: this delivery included, so 1 at the first.
        lock_token, locked_until: empty and the beginning of time for a message that was peeked
            at, or received and deleted.
        state: `Active`, `Scheduled` or `Deferred`.
        application_properties: with `DeadLetterReason` and `DeadLetterErrorDescription` in the
            dead-letter queue.
    """

    queue: str
    sequence_number: int
    message_id: str
    body: bytes
    delivery_count: int
    enqueued_time: datetime
    expires_at: datetime | None
    lock_token: str
    locked_until: datetime
    state: str = "Active"
    content_type: str | None = None
    subject: str | None = None
    correlation_id: str | None = None
    session_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    reply_to_session_id: str | None = None
    partition_key: str | None = None
    time_to_live_s: float | None = None
    scheduled_enqueue_time: datetime | None = None
    application_properties: Mapping[str, Property] = field(default_factory=dict)
    dead_letter_reason: str | None = None
    dead_letter_error_description: str | None = None
    dead_letter_source: str | None = None
