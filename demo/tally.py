"""What came out of the day, and whether it is what `samples/expected.json` says. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Findings:
    """What was seen at the end.

    Attributes:
        states: order id to the state that the API shows.
        items: the items of the container `processed`.
        events: the published events' ids, one for each publication.
        api_conflicts: submissions that the API refused with 409.
        recognised: submissions sent again that changed nothing (see `unchanged`).
        batch: the summary of the batch.
        dead_lettered: messages in the dead-letter queue.
        replayed: orders that needed a second attempt.
    """

    states: Mapping[str, str]
    items: Mapping[str, Mapping[str, Any]]
    events: tuple[str, ...]
    api_conflicts: int
    queue_conflicts: int
    recognised: int
    batch: Mapping[str, Any]
    dead_lettered: int
    replayed: int


def count(found: Findings) -> dict[str, int]:
    """The numbers of the day, named as in `samples/expected.json`."""
    states = Counter(found.states.values())
    return {
        "orders": len(found.states),
        "processed": states["processed"],
        "rejected": states["rejected"],
        "failed": len(found.states) - states["processed"] - states["rejected"],
        "duplicates": found.recognised + int(found.batch.get("duplicates", 0)),
        "conflicts": found.api_conflicts + found.queue_conflicts,
        "deadLettered": found.dead_lettered,
        "batches": 1 if found.batch.get("state") == "completed" else 0,
        "events": len(found.events),
        "replayed": found.replayed,
    }


def unchanged(
    ids: Iterable[str],
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
) -> int:
    """How many of these orders' items were not written again: their etag is the one they had."""
    return sum(
        1 for i in ids if i in before and before[i]["_etag"] == after.get(i, {}).get("_etag")
    )


def discrepancies(found: Findings, expected: Mapping[str, int]) -> list[str]:
    """What is not as it should be, a sentence each; empty when all is well."""
    counted = count(found)
    faults = [
        f"{name}: {counted[name]} instead of {wanted}"
        for name, wanted in expected.items()
        if counted[name] != wanted
    ]
    twice = [event for event, times in Counter(found.events).items() if times > 1]
    if twice:
        faults.append(f"{len(twice)} events were published more than once, {twice[0]} among them")
    for order, state in sorted(found.states.items()):
        stored = found.items.get(order, {}).get("status")
        if stored != state:
            faults.append(f"{order}: the API says {state}, the stored item says {stored}")
    return faults
