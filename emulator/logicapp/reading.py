"""Reads the JSON of a definition: members, durations, statuses, policies.

Pure. Every refusal names its place as a JSON pointer. Used by `load` and `load_actions`.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from emulator.logicapp.errors import InvalidDefinition
from emulator.logicapp.expressions import escape_pointer
from emulator.logicapp.model import Action, RetryPolicy, Status

_MAX_RETRIES = 90
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_RUN_AFTER = {
    str(status).lower(): status
    for status in (Status.SUCCEEDED, Status.FAILED, Status.SKIPPED, Status.TIMED_OUT)
}


def parse_duration(text: Any, pointer: str) -> float:
    """Seconds of an ISO 8601 duration; raises InvalidDefinition."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groupdict().values()):
        raise InvalidDefinition(pointer, f"'{text}' is not a duration such as PT10S.")
    parts = {unit: float(value or 0) for unit, value in match.groupdict().items()}
    return timedelta(**parts).total_seconds()


def read_object(value: Any, pointer: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise InvalidDefinition(pointer, "An object was expected.")
    return value


def read_members(
    value: Any, pointer: str, known: set[str], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """An object with known members only, and all those it must have."""
    for name in read_object(value, pointer):
        if name not in known:
            text = f"The member '{name}' is not supported by the emulator."
            raise InvalidDefinition(f"{pointer}/{escape_pointer(name)}", text)
    for name in required:
        if name not in value:
            raise InvalidDefinition(pointer, f"The member '{name}' is missing.")
    return value  # type: ignore[no-any-return]


def read_run_after(
    value: Any, pointer: str, siblings: Mapping[str, Any]
) -> dict[str, frozenset[Status]]:
    """The siblings an action waits for, with the statuses that let it run."""
    found: dict[str, frozenset[Status]] = {}
    for name, statuses in read_object(value, pointer).items():
        at = f"{pointer}/{escape_pointer(name)}"
        if name not in siblings:
            raise InvalidDefinition(at, f"There is no action '{name}' beside this one.")
        if not isinstance(statuses, list) or not statuses:
            raise InvalidDefinition(at, "An array of statuses was expected.")
        for status in statuses:
            if str(status).lower() not in _RUN_AFTER:
                raise InvalidDefinition(at, f"'{status}' is not a status to run after.")
        found[name] = frozenset(_RUN_AFTER[str(status).lower()] for status in statuses)
    return found


def in_order(actions: Mapping[str, Action], pointer: str) -> dict[str, Action]:
    """Actions, each behind those it waits for."""
    found: dict[str, Action] = {}
    while len(found) < len(actions):
        ready = [
            action
            for name, action in actions.items()
            if name not in found and all(each in found for each in action.run_after)
        ]
        if not ready:
            raise InvalidDefinition(pointer, "The actions wait for one another in a circle.")
        found.update({action.name: action for action in ready})
    return found


def read_concurrency(
    value: Mapping[str, Any], pointer: str, name: str, *, default: int, most: int
) -> int:
    """How many at once."""
    at = f"{pointer}/runtimeConfiguration"
    configured = read_members(value.get("runtimeConfiguration", {}), at, {"concurrency"})
    entry = read_members(configured.get("concurrency", {}), f"{at}/concurrency", {name})
    found = entry.get(name, default)
    if type(found) is not int or not 1 <= found <= most:
        text = f"'{name}' must be a whole number from 1 to {most}."
        raise InvalidDefinition(f"{at}/concurrency/{name}", text)
    return found


def read_retry(value: Any, pointer: str) -> RetryPolicy:
    """A retry policy; the service's default where there is none."""
    if value is None:
        return RetryPolicy()
    known = {"type", "count", "interval", "minimumInterval", "maximumInterval"}
    policy = read_members(value, pointer, known, ("type",))
    if policy["type"] == "none":
        return RetryPolicy(count=0)
    if policy["type"] not in ("fixed", "exponential"):
        text = f"The policy '{policy['type']}' is not supported by the emulator."
        raise InvalidDefinition(f"{pointer}/type", text)
    count = policy.get("count")
    if type(count) is not int or not 1 <= count <= _MAX_RETRIES:
        text = f"'count' must be a whole number from 1 to {_MAX_RETRIES}."
        raise InvalidDefinition(f"{pointer}/count", text)
    interval_s = parse_duration(policy.get("interval"), f"{pointer}/interval")
    return RetryPolicy(
        count,
        interval_s,
        policy["type"] == "exponential",
        parse_duration(policy.get("minimumInterval", "PT5S"), f"{pointer}/minimumInterval"),
        parse_duration(policy.get("maximumInterval", "PT1H"), f"{pointer}/maximumInterval"),
    )
