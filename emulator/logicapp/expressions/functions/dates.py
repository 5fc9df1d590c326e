"""Functions of instants, which are ISO 8601 texts in UTC with seven digits of a second.

Pure: `utcNow` is not here but in `context`, which is handed a clock. DIFFERS: formats cannot be
given; a call with one is refused when the workflow is loaded.

Source: Logic Apps documentation, "Reference guide to workflow expression functions".
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.logicapp.errors import ExpressionFailed
from emulator.logicapp.expressions.functions.registry import as_integer, as_text, function

_UNITS = {"Seconds": 1, "Minutes": 60, "Hours": 3600, "Days": 86400}
_TICKS_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


def instant_text(instant: datetime) -> str:
    """An instant as `utcNow` gives it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def _read(name: str, value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(as_text(name, value))
    except ValueError:
        raise ExpressionFailed(
            f"In function '{name}', the value provided for date time string '{value}' was not "
            "valid. The datetime string must match ISO 8601 format."
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _adder(name: str, seconds: int) -> None:
    @function(name, 2)
    def add(instant: Any, count: Any) -> str:
        try:
            moved = _read(name, instant) + timedelta(seconds=seconds * as_integer(name, count))
        except OverflowError:
            raise ExpressionFailed(f"In function '{name}', the date is out of range.") from None
        return instant_text(moved)


for _unit, _seconds in _UNITS.items():
    _adder(f"add{_unit}", _seconds)


@function("ticks", 1)
def _ticks(instant: Any) -> int:
    return (_read("ticks", instant) - _TICKS_EPOCH) // timedelta(microseconds=1) * 10
