"""Reads the durable library's timestamps fast.

The library reads the time of every event of every episode with `dateutil`, and that is most of what
an episode costs. Its own format is read here; every other form of date still goes to `dateutil`.
"""

import sys
from datetime import datetime, tzinfo
from typing import Any


def install_fast_timestamps() -> None:
    """Let the library read its own format fast: the same values, in a tenth of the time.

    Where the library does not have the name that is replaced here, nothing is changed.
    """
    module: Any = sys.modules.get("azure.durable_functions.models.history.HistoryEvent")
    slow = getattr(module, "dt_parse", None)
    if slow is None or getattr(slow, "reads_fast", False):
        return
    # On a machine that runs in UTC, `dateutil` reads Z as the local zone: ask it which it is here.
    zone = slow("2026-01-02T03:04:05Z").tzinfo

    def parse(text: Any) -> Any:
        return read_timestamp(text, zone) or slow(text)

    parse.reads_fast = True  # type: ignore[attr-defined]  # so that it is not replaced twice
    module.dt_parse = parse


def read_timestamp(text: Any, zone: tzinfo) -> datetime | None:
    """The instant of `2026-01-02T03:04:05.2500000Z`, or None for any other form."""
    if type(text) is not str or not 20 <= len(text) <= 28 or text[-1] != "Z":
        return None
    if text[4] + text[7] + text[10] + text[13] + text[16] != "--T::":
        return None
    if len(text) > 20 and (text[19] != "." or len(text) == 21):
        return None
    try:
        return datetime.fromisoformat(text[:-1]).replace(tzinfo=zone)
    except ValueError:
        return None
