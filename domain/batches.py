"""Batches: which entries run, in which chunks, and what is told at the end.

An entry runs unless it has no usable id (`invalid`), repeats one of the same batch or is done
already (`duplicate`), or has the id of another order (`conflict`); each of these is told in the
summary, none fails the batch. Called by `admit_batch`, the batch orchestrators and the status.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain import keys
from domain.order import digest, is_usable_id

CHUNK_SIZE = 50
# Chunks of one batch that run at the same time: 200 orders in flight.
CHUNKS_IN_FLIGHT = 4
# What can become of an entry, in the order in which the summary counts it.
OUTCOMES = ("processed", "rejected", "failed", "duplicate", "conflict", "invalid")
_COUNT_NAMES = {"duplicate": "duplicates", "conflict": "conflicts"}


@dataclass(frozen=True)
class Admitted:
    """An entry that runs: its place in the batch and its digest."""

    index: int
    digest: str

    def to_dict(self) -> dict[str, Any]:
        return {"index": self.index, "digest": self.digest}


@dataclass(frozen=True)
class Outcome:
    """What became of an entry; `error` says why it is not processed."""

    order_id: str | None
    status: str
    error: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        value: dict[str, Any] = {"id": self.order_id, "status": self.status}
        if self.error is not None:
            value["error"] = dict(self.error)
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Outcome":
        return cls(value.get("id"), value["status"], value.get("error"))


@dataclass(frozen=True)
class Admission:
    """What runs, and the outcomes that are known without running anything."""

    admitted: tuple[Admitted, ...]
    settled: tuple[Outcome, ...]


def entry_digest(entry: object) -> str:
    """The digest of an entry, whatever it is."""
    if isinstance(entry, dict):
        return digest(entry)
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode("utf-8")).hexdigest()


def content_digest(entries: Iterable[object]) -> str:
    """The digest of a whole batch."""
    return keys.batch_digest([entry_digest(entry) for entry in entries])


def admit(entries: Sequence[object], done: Mapping[str, str]) -> Admission:
    """Which entries run.

    Args:
        entries: the batch as it was told.
        done: digest of each order that is processed or rejected already, by id.
    """
    admitted: list[Admitted] = []
    settled: list[Outcome] = []
    seen: dict[str, str] = {}
    for index, entry in enumerate(entries):
        order_id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not is_usable_id(order_id):
            settled.append(_invalid(index, order_id))
            continue
        entry_hash = digest(entry)
        known = seen.get(order_id) or done.get(order_id)
        if known is None:
            seen[order_id] = entry_hash
            admitted.append(Admitted(index, entry_hash))
        else:
            settled.append(_known(order_id, known == entry_hash, order_id in seen))
    return Admission(tuple(admitted), tuple(settled))


def chunks(items: Sequence[Any]) -> list[list[Any]]:
    """The items in runs of at most `CHUNK_SIZE`."""
    return [list(items[n : n + CHUNK_SIZE]) for n in range(0, len(items), CHUNK_SIZE)]


def counts(total: int, outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many of `total` entries came to what; the rest is `running`."""
    found = Counter(outcome.status for outcome in outcomes)
    value = {"total": total}
    value |= {_COUNT_NAMES.get(name, name): found[name] for name in OUTCOMES}
    value["running"] = total - found.total()
    return value


def summary(batch_id: str, total: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The batch's result: counts, and every entry that is not processed, with its reason."""
    return {
        "batchId": batch_id,
        **counts(total, outcomes),
        "notProcessed": [o.to_dict() for o in outcomes if o.status != "processed"],
    }


def _invalid(index: int, order_id: object) -> Outcome:
    return Outcome(
        order_id if isinstance(order_id, str) else None,
        "invalid",
        {"code": "invalid_id", "message": f"Entry {index} is not an order with a usable id."},
    )


def _known(order_id: str, is_same: bool, in_batch: bool) -> Outcome:
    where = "in this batch" if in_batch else "processed already"
    if is_same:
        told = {"code": "duplicate", "message": f"The same order is {where}."}
        return Outcome(order_id, "duplicate", told)
    told = {"code": "ORDER_CONFLICT", "message": f"Another order with this id is {where}."}
    return Outcome(order_id, "conflict", told)
