"""What a day came to, and how it differs from the undisturbed day. Pure.

Everything that must come out the same has a key that the sender or the app gave it (an order's id,
an event's id, a message's id, an instance's id), so two days are compared key by key: what is
missing is lost, what is there more often is doubled, what says something else is different. An
effect may be *repeated* under its key, since steps are run at least once: that is counted beside,
and is no fault.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

# What an order's state may be followed by within one attempt; a final one by nothing.
_RANK = {"unknown": 0, "queued": 1, "running": 2}
_FINAL = 3

Facts = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Outcome:
    """What is to be seen at the end of a day.

    Attributes:
        facts: for each kind of thing (`item`, `dead letter`), what is known under each key; more
            than one entry under a key is a doubled thing.
        effects: for each effect's key, how often it was made.
        unfinished: what is still going on, a sentence each.
        shown: for each order, the (attempt, state) pairs in the order in which they were shown.
    """

    facts: Mapping[str, Facts]
    effects: Mapping[str, int]
    unfinished: Sequence[str] = ()
    shown: Mapping[str, Sequence[tuple[int, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The differences, a sentence each; all empty when there are none."""

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    repeated: int = 0

    @property
    def is_good(self) -> bool:
        """Whether the day came to what it should."""
        return not (self.lost or self.doubled or self.different)


def compare(expected: Outcome, found: Outcome) -> Verdict:
    """Judge a day by the undisturbed one."""
    lost = list(found.unfinished)
    doubled: list[str] = []
    different: list[str] = []
    for kind, wanted in expected.facts.items():
        got = found.facts.get(kind, {})
        lost += [f"{kind} {key}" for key in wanted if key not in got]
        doubled += [f"{kind} {key} that should not be" for key in got if key not in wanted]
        for key in wanted.keys() & got.keys():
            if len(got[key]) > len(wanted[key]):
                doubled.append(f"{kind} {key}: {len(got[key])} of them")
            elif _canonical(got[key]) != _canonical(wanted[key]):
                different.append(f"{kind} {key}: {_gap(wanted[key], got[key])}")
    lost += [f"effect {key}" for key in expected.effects if key not in found.effects]
    doubled += [
        f"effect {key} that should not be" for key in found.effects if key not in expected.effects
    ]
    different += [text for key, states in found.shown.items() for text in backwards(key, states)]
    repeated = sum(found.effects.values()) - len(found.effects)
    return Verdict(tuple(lost), tuple(doubled), tuple(sorted(different)), repeated)


def backwards(key: str, states: Sequence[tuple[int, str]]) -> list[str]:
    """Where what was shown of an order went back: to an earlier attempt or an earlier state."""
    found = []
    for before, after in pairwise(states):
        (attempt, state), (next_attempt, next_state) = before, after
        rank, next_rank = _RANK.get(state, _FINAL), _RANK.get(next_state, _FINAL)
        changed = rank == next_rank == _FINAL and state != next_state
        if next_attempt < attempt or (next_attempt == attempt and (next_rank < rank or changed)):
            found.append(f"order {key} was shown as {before}, then as {after}")
    return found


def by_key(pairs: Sequence[tuple[str, Any]]) -> dict[str, list[Any]]:
    """Facts of pairs of key and value."""
    facts: dict[str, list[Any]] = {}
    for key, value in pairs:
        facts.setdefault(key, []).append(value)
    return facts


def counted(keys: Sequence[str]) -> dict[str, int]:
    """Effects of the keys that were seen."""
    return dict(Counter(keys))


def _canonical(values: Sequence[Any]) -> list[str]:
    return sorted(json.dumps(value, sort_keys=True) for value in values)


def _gap(wanted: Sequence[Any], got: Sequence[Any]) -> str:
    """What to show of two lists of facts: of objects only the members that differ."""
    if len(wanted) == len(got) == 1 and isinstance(wanted[0], dict) and isinstance(got[0], dict):
        names = sorted(
            name
            for name in wanted[0].keys() | got[0].keys()
            if wanted[0].get(name) != got[0].get(name)
        )
        return ", ".join(
            f"{name} is {got[0].get(name)!r} instead of {wanted[0].get(name)!r}" for name in names
        )
    return f"{list(got)!r} instead of {list(wanted)!r}"
