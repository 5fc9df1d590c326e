"""A change to one item, as a value: what a request asks, and carrying it out in a transaction.

Both the single operations and the entries of a batch become a `Change`; `apply` knows them all.
Nothing here waits or talks to the network.

Source: specification, section 6.5.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.cosmos import items
from emulator.cosmos.errors import CosmosError, partition_key_mismatch
from emulator.cosmos.items import Moment, NewItem, Row, Target
from emulator.cosmos.model import Container
from emulator.cosmos.patch import Patch, apply_patch
from emulator.cosmos.query import is_true_for
from emulator.cosmos.values import parse


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked.

    Attributes:
        kind: `Create`, `Upsert`, `Replace`, `Patch`, `Delete` or `Read`.
        target: which item, with its preconditions.
        item: the body of a create, upsert or replace.
        patch: that of a patch.
    """

    kind: str
    target: Target
    item: NewItem | None = None
    patch: Patch | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the status, and the item as it is now (None after a delete)."""

    status: int
    row: Row | None


def apply(
    connection: sqlite3.Connection,
    container: Container,
    change: Change,
    moment: Moment,
) -> Outcome:
    """Carry out a change within the writer's transaction.

    Args:
        moment: the transaction's LSN and second, and the entry's place in its batch.
    Raises:
        CosmosError: the refusal; what the change had done is undone by the caller's savepoint.
    """
    target, item = change.target, change.item
    if change.kind == "Create":
        assert item is not None
        return Outcome(201, items.create(connection, container, item, target.epk, moment))
    if change.kind == "Upsert":
        assert item is not None
        row, is_new = items.upsert(connection, container, item, target, moment)
        return Outcome(201 if is_new else 200, row)
    if change.kind == "Read":
        return Outcome(200, items.read(connection, container, target, moment.ts))
    row = items.existing(connection, container, target, moment.ts)
    if change.kind == "Delete":
        items.delete(connection, container, row)
        return Outcome(204, None)
    if change.kind == "Patch":
        assert change.patch is not None
        item = _patched(connection, container, row, change.patch, moment)
    assert item is not None
    return Outcome(200, items.replace(connection, container, item, row, moment))


def _patched(
    connection: sqlite3.Connection, container: Container, row: Row, patch: Patch, moment: Moment
) -> NewItem:
    if patch.condition is not None:
        now = datetime.fromtimestamp(moment.ts, UTC)
        if not is_true_for(connection, container, row.seq, patch.condition, now):
            raise CosmosError(412, "The condition of the patch is not met.")
    body: dict[str, Any] = parse(row.body)
    before = container.partition_key.of_item(body)
    apply_patch(container, body, patch)
    if container.partition_key.of_item(body) != before:
        raise partition_key_mismatch()
    return NewItem(body["id"], body, items.checked_text(body))


def run_batch(
    connection: sqlite3.Connection, container: Container, changes: list[Change], moment: Moment
) -> list[Outcome]:
    """Carry out the entries of a batch in their order.

    Raises:
        BatchFailed: an entry was refused.
    """
    outcomes: list[Outcome] = []
    for index, change in enumerate(changes):
        try:
            own = Moment(moment.lsn, moment.ts, index)
            outcomes.append(apply(connection, container, change, own))
        except CosmosError as error:
            raise BatchFailed(index, error) from None
    return outcomes


class BatchFailed(Exception):
    """An entry of a batch was refused, so nothing of it was done."""

    def __init__(self, index: int, error: CosmosError) -> None:
        super().__init__(str(error))
        self.index = index
        self.error = error
