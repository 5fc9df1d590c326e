"""A task hub in miniature: drives one orchestrator through its episodes, with a seed for the order.

It keeps the history as the engine does (ids, retry bookkeeping, scheduling events) and decides by a
seeded generator what completes when. It stores nothing and checks nothing; tests compare what two
ways of running the orchestrator reply.
"""

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Event = dict[str, Any]

_SCHEDULED = {0: 4, 1: 4, 8: 4, 2: 7, 3: 7, 5: 10, 7: 14, 9: 14}
_BLOCKING_OPEN = ("activity", "attempt", "child", "child_attempt", "timer", "retry_timer", "entity")


def leaves(actions: list[Any]) -> Iterator[dict[str, Any]]:
    """The atomic actions, depth first and left to right."""
    for action in actions:
        if action["actionType"] in (11, 12):
            yield from leaves(action["compoundActions"])
        else:
            yield action


@dataclass
class _Entry:
    kind: str
    leaf: dict[str, Any]
    attempt: int = 1
    last: bool = False
    root: int = -1
    fire_at: datetime | None = None
    request: str = ""
    open: bool = True


@dataclass
class MiniHub:
    """One execution of one orchestrator.

    Attributes:
        history: the committed events.
        fail_rate: how many of the activities and children fail.
    """

    rng: random.Random
    name: str = "orchestrator"
    input_json: str | None = None
    fail_rate: float = 0.3
    history: list[Event] = field(default_factory=list)
    entries: dict[int, _Entry] = field(default_factory=dict)
    waits: dict[str, int] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    known: int = 0
    done: bool = False
    now: datetime = datetime(2026, 1, 2, 3, 4, 5, 250000, UTC)
    counter: int = 0

    def stamp(self) -> str:
        self.now += timedelta(milliseconds=250)
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")

    def event(self, kind: int, event_id: int = -1, **members: Any) -> Event:
        return {
            "EventType": kind,
            "EventId": event_id,
            "IsPlayed": False,
            "Timestamp": self.stamp(),
            **members,
        }

    def first_events(self) -> list[Event]:
        return [
            self.event(12),
            self.event(0, Name=self.name, Version="", Input=self.input_json),
        ]

    def next_events(self) -> list[Event]:
        """Some of what is due, as the events of the next episode; none when nothing is open."""
        due = [number for number, entry in self.entries.items() if self._is_due(entry)]
        names = [name for name, count in self.waits.items() if count > self.delivered.get(name, 0)]
        if not due and not names:
            return []
        chosen = self.rng.sample(due, self.rng.randint(min(1, len(due)), len(due)))
        if not chosen and not names:
            chosen = due
        self._pass_time(chosen)
        events = [self._complete(number) for number in chosen]
        for name in names:
            if not chosen or self.rng.random() < 0.5:
                self.delivered[name] = self.delivered.get(name, 0) + 1
                events.append(self.event(15, Name=name, Input=json.dumps(self._value())))
        # Events that advance a retry come first (the task ids depend on it).
        events.sort(key=lambda event: not self._advances_retry(event))
        return [self.event(12), *events]

    def _is_due(self, entry: _Entry) -> bool:
        return entry.open and entry.kind in _BLOCKING_OPEN

    def _pass_time(self, chosen: list[int]) -> None:
        for number in chosen:
            fire_at = self.entries[number].fire_at
            if fire_at is not None and fire_at > self.now:
                self.now = fire_at

    def _value(self) -> Any:
        self.counter += 1
        return self.rng.choice([self.counter, f"v{self.counter}", {"n": self.counter}, None])

    def _complete(self, number: int) -> Event:
        entry = self.entries[number]
        kind = entry.kind
        if kind in ("timer", "retry_timer"):
            return self.event(11, TimerId=number)
        if kind == "entity":
            answer: dict[str, Any] = {"result": json.dumps(self._value())}
            if self.rng.random() < self.fail_rate:
                answer["exceptionType"] = "Error"
            return self.event(15, Name=entry.request, Input=json.dumps(answer))
        child = kind in ("child", "child_attempt")
        if self.rng.random() < self.fail_rate:
            return self.event(
                9 if child else 6, TaskScheduledId=number, Reason="failed", Details=f"d{number}"
            )
        value = self._value()
        result = None if value is None else json.dumps(value)
        return self.event(8 if child else 5, TaskScheduledId=number, Result=result)

    def _advances_retry(self, event: Event) -> bool:
        if event["EventType"] in (6, 9):
            return self.entries[event["TaskScheduledId"]].kind in ("attempt", "child_attempt")
        if event["EventType"] == 11:
            entry = self.entries[event["TimerId"]]
            return entry.kind == "retry_timer" and not entry.last
        return False

    def commit(self, events: list[Event], reply: dict[str, Any]) -> None:
        """Take the reply to an episode: assign ids, append the scheduling events."""
        scheduled: list[int] = []
        for event in events:
            self._close(event, scheduled)
        found = list(leaves(reply["actions"][0]))
        for index in range(self.known, len(found)):
            self._schedule(found[index] | {"index": index}, scheduled)
        self.known = len(found)
        for number in list(self.entries):
            leaf = self.entries[number].leaf
            current = found[leaf["index"]] if "index" in leaf else None
            if current is not None and current.get("isCanceled"):
                self.entries[number].open = False
        appended = [self._scheduling_event(number) for number in scheduled]
        self.history += [*events, *appended, self.event(13)]
        for event in self.history:
            event["IsPlayed"] = True
        self.done = bool(reply["isDone"]) or "error" in reply

    def _new(self, entry: _Entry, scheduled: list[int]) -> None:
        number = len(self.entries)
        self.entries[number] = entry
        scheduled.append(number)

    def _close(self, event: Event, scheduled: list[int]) -> None:
        kind = event["EventType"]
        if kind == 15:
            for entry in self.entries.values():
                if entry.request == event["Name"]:
                    entry.open = False
            return
        number = event.get("TaskScheduledId", event.get("TimerId"))
        if number is None:
            return
        entry = self.entries[number]
        entry.open = False
        if kind in (6, 9) and entry.kind in ("attempt", "child_attempt"):
            options = entry.leaf["retryOptions"]
            last = entry.attempt >= max(1, options["maxNumberOfAttempts"])
            wait = timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"])
            fire_at = self.now if last else self.now + wait
            timer = _Entry("retry_timer", {}, entry.attempt, last, number, fire_at)
            self._new(timer, scheduled)
        elif kind == 11 and entry.kind == "retry_timer" and not entry.last:
            root = self.entries[entry.root]
            again = _Entry(root.kind, {**root.leaf}, entry.attempt + 1)
            again.leaf.pop("index", None)
            self._new(again, scheduled)

    def _schedule(self, leaf: dict[str, Any], scheduled: list[int]) -> None:
        kind = leaf["actionType"]
        if kind == 6:
            name = leaf["externalEventName"]
            self.waits[name] = self.waits.get(name, 0) + 1
            return
        if kind == 4:
            return
        kinds = {0: "activity", 8: "activity", 1: "attempt", 2: "child", 3: "child_attempt"}
        kinds |= {5: "timer", 7: "entity", 9: "signal"}
        entry = _Entry(kinds[kind], {**leaf})
        if kind == 5:
            entry.fire_at = datetime.fromisoformat(leaf["fireAt"])
        if kind in (7, 9):
            entry.request = str(uuid.UUID(int=self.rng.getrandbits(128)))
        self._new(entry, scheduled)

    def _scheduling_event(self, number: int) -> Event:
        entry = self.entries[number]
        leaf = entry.leaf
        if entry.kind in ("timer", "retry_timer"):
            return self.event(10, number, FireAt=str(entry.fire_at))
        if entry.kind in ("entity", "signal"):
            request = {"op": leaf["operation"], "input": leaf["input"], "id": entry.request}
            text = json.dumps(request | ({"signal": True} if entry.kind == "signal" else {}))
            return self.event(14, number, InstanceId=leaf["instanceId"], Name="op", Input=text)
        kind = _SCHEDULED[leaf["actionType"]]
        return self.event(kind, number, Name=leaf.get("functionName", "http"), InstanceId=None)
