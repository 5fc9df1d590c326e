"""Decides whether an instance's version may be run by this app.

No `defaultVersion` in host.json means no check. Source: protocol specification, 10.14.
"""

from enum import Enum
from itertools import zip_longest

from emulator.taskhub.options import HubOptions


class Fit(Enum):
    """What is done with an instance of some version."""

    GOOD = 1
    REJECTED = 2
    FAILED = 3


def fit_of(version: str | None, options: HubOptions) -> Fit:
    """What is done with an instance that was started with this version."""
    current = options.default_version
    if current is None or options.version_match == "none":
        return Fit.GOOD
    order = compare(version or "", current)
    if order == 0 or (order < 0 and options.version_match == "currentorolder"):
        return Fit.GOOD
    return Fit.FAILED if options.version_failure == "fail" else Fit.REJECTED


def compare(left: str, right: str) -> int:
    """-1, 0 or 1. Dotted numbers compare as numbers, else texts without case; empty is oldest."""
    if not left or not right:
        return bool(left) - bool(right)
    one, other = _numbers(left), _numbers(right)
    if one is not None and other is not None:
        for here, there in zip_longest(one, other, fillvalue=0):
            if here != there:
                return -1 if here < there else 1
        return 0
    a, b = left.lower(), right.lower()
    return (a > b) - (a < b)


def _numbers(text: str) -> list[int] | None:
    parts = text.split(".")
    return [int(part) for part in parts] if all(part.isdigit() for part in parts) else None
