"""Instants as the Durable Task protocol writes them, and as they are stored.

Inside, an instant is a whole number of microseconds since 1970 (UTC): it sorts, it adds, it never
loses a digit. On the wire it is ISO 8601 with seven digits and `Z`, as .NET writes it.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# 9999-12-31T23:59:59.999999Z: what a later instant is shown as.
_LAST = 253402300799999999


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 of an instant; one without a zone counts as UTC."""
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // _MICROSECOND


def to_datetime(micros: int) -> datetime:
    """The instant, in UTC."""
    return _EPOCH + timedelta(microseconds=min(micros, _LAST))


def stamp(micros: int) -> str:
    """`2026-01-02T03:04:05.2500000Z`."""
    return to_datetime(micros).isoformat(timespec="microseconds")[:26] + "0Z"


def whole_seconds(micros: int) -> str:
    """`2026-01-02T03:04:05Z`, as status bodies have it."""
    return to_datetime(micros).isoformat(timespec="seconds")[:19] + "Z"


def parse(text: str) -> int:
    """Microseconds of an ISO 8601 text; one without a zone counts as UTC.

    Raises:
        ValueError: it is not one.
    """
    return to_micros(datetime.fromisoformat(text.strip()))
