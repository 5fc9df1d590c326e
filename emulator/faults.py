"""Faults that can be injected from outside: named points; fail, delay, duplicate, die.

The app holds no test-only line. The emulator's own code passes named points ("activity.before",
"servicebus.deliver", "taskhub.commit"), each with labels that tell this passage from others, and a
rule says what happens there. Rules come from `--faults` or `POST /emulator/faults`.

With no rules a passage only counts, so the points can stay in the hot path; the counts number the
durable writes of a run, which is what a crash test steps through.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any, Literal, cast, get_args

Action = Literal["fail", "delay", "duplicate", "die"]


class InjectedFault(Exception):
    """A rule said that this passage fails."""


class InvalidFault(ValueError):
    """A rule that cannot be understood; the text names the member that is wrong."""


@dataclass
class FaultRule:
    """What happens at a point.

    Attributes:
        point: the point's name; `*` and `?` match as in file names.
        action: `fail` raises, `delay` waits `seconds`, `duplicate` asks the caller to do it twice,
            `die` kills the process as SIGKILL does.
        match: labels the passage must carry, value patterns as for `point`.
        after: passages that match and are let through first.
        times: passages that are hit after that; None is without end.
        seconds: how long `delay` waits.
        message: the text of the failure.
    """

    point: str
    action: Action
    match: dict[str, str] = field(default_factory=dict)
    after: int = 0
    times: int | None = 1
    seconds: float = 0.0
    message: str = "Injected fault."
    seen: int = 0

    def takes(self, point: str, labels: Mapping[str, str]) -> bool:
        """Whether this passage is hit; counts the passage if it matches."""
        if not fnmatchcase(point, self.point):
            return False
        for name, pattern in self.match.items():
            if not fnmatchcase(labels.get(name, ""), pattern):
                return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        return self.times is None or self.seen <= self.after + self.times


_MEMBERS = {"point", "action", "match", "after", "times", "seconds", "message"}


def parse_rule(value: object) -> FaultRule:
    """Make a rule of its JSON form.

    Raises:
        InvalidFault: a member is unknown, missing or of the wrong type.
    """
    if not isinstance(value, dict):
        raise InvalidFault(
            'A fault is a JSON object such as {"point": "activity.before", "action": "fail"}.'
        )
    unknown = sorted(set(value) - _MEMBERS)
    if unknown:
        raise InvalidFault(f"Unknown member '{unknown[0]}'; known: {', '.join(sorted(_MEMBERS))}.")
    if not isinstance(value.get("point"), str):
        raise InvalidFault("'point' must be a string that names a point.")
    if value.get("action") not in get_args(Action):
        raise InvalidFault(f"'action' must be one of {', '.join(get_args(Action))}.")
    match = value.get("match", {})
    if not isinstance(match, dict) or not all(isinstance(v, str) for v in match.values()):
        raise InvalidFault("'match' must be an object of strings.")
    times, after = value.get("times", 1), value.get("after", 0)
    if not (times is None or (type(times) is int and times >= 1)):
        raise InvalidFault("'times' must be a whole number from 1, or null for without end.")
    if not (type(after) is int and after >= 0):
        raise InvalidFault("'after' must be a whole number from 0.")
    seconds = value.get("seconds", 0.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise InvalidFault("'seconds' must be a number from 0.")
    message = value.get("message", "Injected fault.")
    if not isinstance(message, str):
        raise InvalidFault("'message' must be a string.")
    return FaultRule(
        point=cast(str, value["point"]),
        action=cast(Action, value["action"]),
        match=cast(dict[str, str], match),
        after=after,
        times=times,
        seconds=float(seconds),
        message=message,
    )


class Faults:
    """The rules in force, and how often each point was passed. Safe to use from any thread."""

    def __init__(self, rules: Sequence[FaultRule] = ()) -> None:
        self._rules = list(rules)
        self._lock = Lock()
        self.passed: Counter[str] = Counter()

    def add(self, rule: FaultRule) -> None:
        """Put a rule in force, behind those that are."""
        with self._lock:
            self._rules.append(rule)

    def clear(self, point: str | None = None) -> None:
        """Take out of force the rules that name this point in these very words, or every rule."""
        with self._lock:
            if point is None:
                self._rules.clear()
            else:
                self._rules = [rule for rule in self._rules if rule.point != point]

    def is_watched(self, point: str) -> bool:
        """Whether a rule may hit this point: for points whose passage is not for nothing."""
        return bool(self._rules) and any(fnmatchcase(point, rule.point) for rule in self._rules)

    def describe(self) -> dict[str, Any]:
        """The rules with what they have seen, and the count of each point."""
        with self._lock:
            return {
                "rules": [vars(rule) for rule in self._rules],
                "passed": dict(self.passed),
            }

    def _take(self, point: str, labels: Mapping[str, str]) -> FaultRule | None:
        with self._lock:
            self.passed[point] += 1
            for rule in self._rules:
                if rule.takes(point, labels):
                    return rule
        return None

    async def at(self, point: str, **labels: str) -> bool:
        """Pass a point on the event loop.

        Returns: True if the caller should do its deed twice.
        Raises:
            InjectedFault: a rule says that the passage fails.
        """
        rule = self._take(point, labels)
        if rule is not None and rule.action == "delay":
            await asyncio.sleep(rule.seconds)
            return False
        return _apply(rule)

    def at_sync(self, point: str, **labels: str) -> bool:
        """Pass a point on a thread that may be blocked; else as `at`."""
        rule = self._take(point, labels)
        if rule is not None and rule.action == "delay":
            time.sleep(rule.seconds)
            return False
        return _apply(rule)


def _apply(rule: FaultRule | None) -> bool:
    if rule is None:
        return False
    if rule.action == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if rule.action == "fail":
        raise InjectedFault(rule.message)
    return rule.action == "duplicate"
