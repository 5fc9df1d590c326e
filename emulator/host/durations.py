"""Reads .NET time spans as `host.json`, bindings and retry settings write them.

Source: the `TimeSpan` constant format, `[-][d.]hh:mm:ss[.fffffff]`; a bare whole number is days.
"""

import re

_TIME_SPAN = re.compile(
    r"^\s*(?P<sign>-)?(?:(?P<days>\d+)[.:])??(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2})(?P<fraction>\.\d{1,7})?)?\s*$"
)


def parse_time_span(text: str) -> float:
    """Seconds of a time span such as `00:05:00` or `14.00:00:00`.

    Raises:
        ValueError: it is not one.
    """
    if text.strip().isdigit():
        return int(text) * 86400.0
    found = _TIME_SPAN.match(text)
    if found is None:
        raise ValueError(f"'{text}' is not a time span such as 00:05:00.")
    hours, minutes = int(found["hours"]), int(found["minutes"])
    seconds = int(found["seconds"] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"'{text}' is not a time span such as 00:05:00.")
    total = int(found["days"] or 0) * 86400 + hours * 3600 + minutes * 60 + seconds
    span = total + float(found["fraction"] or 0)
    return -span if found["sign"] else span
