"""The item of the container `processed`: what it holds, and which of two writers wins.

Called by `persist_order`, which does what is decided here, and by the triggers that show items.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from domain.payloads import PersistInput

# Written by this system at the top level of an item. An order's own field of such a name, or one
# that the store would take for its own, is kept under `original` instead.
ORIGINAL = "original"
_OURS = frozenset(
    {
        *("status", "processedAt", "totals", "enrichment", "errors", "attempt", "source"),
        *("digest", "instanceId", "replay", "ttl", ORIGINAL),
    }
)
# The store adds these to every item it gives out; a name with this prefix is never an order's.
_SYSTEM_PREFIX = "_"
SYSTEM_FIELDS = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"})
# The workflow that takes in files notes here which file and event an order came with. It is no part
# of the order: the same order in two files, or sent by a caller, is the same order.
INGESTED_FROM = "_source"


class Write(StrEnum):
    """What a write comes to."""

    CREATED = "created"
    REPLACED = "replaced"
    # The same run called twice: the effect is there already.
    UNCHANGED = "unchanged"
    # Another run of the same order was first, and tells the world about it too.
    DUPLICATE = "duplicate"
    # A later attempt has written; this one stays silent.
    SUPERSEDED = "superseded"
    # Another order has this id.
    CONFLICT = "conflict"


def build_item(wanted: PersistInput) -> dict[str, Any]:
    """The item: the order's fields at the top level, and what became of it."""
    item: dict[str, Any] = {}
    original: dict[str, Any] = {}
    for name, value in wanted.order.items():
        taken = name in _OURS or name.startswith(_SYSTEM_PREFIX)
        (original if taken else item)[name] = value
    item |= {
        "status": wanted.status,
        "processedAt": wanted.processed_at,
        "attempt": wanted.attempt,
        "digest": wanted.digest,
        "instanceId": wanted.instance_id,
        "source": wanted.source.to_dict(),
    }
    optional = {
        "totals": wanted.totals,
        "enrichment": wanted.enrichment,
        "errors": wanted.errors,
        "replay": wanted.replay,
        ORIGINAL: original,
    }
    return item | {name: value for name, value in optional.items() if value}


def decide(existing: Mapping[str, Any] | None, wanted: PersistInput) -> Write:
    """Whether `wanted` may be written over `existing`.

    A later attempt always may: it was started because the earlier one had failed. Between equal
    attempts the first writer stays, and an earlier attempt never replaces a later one.
    """
    if existing is None:
        return Write.CREATED
    attempt = existing.get("attempt", 0)
    if wanted.attempt > attempt:
        return Write.REPLACED
    is_same_order = existing.get("digest") == wanted.digest
    is_same_run = existing.get("instanceId") == wanted.instance_id
    if wanted.attempt < attempt:
        return Write.SUPERSEDED if is_same_order or is_same_run else Write.CONFLICT
    if not is_same_order:
        return Write.CONFLICT
    return Write.UNCHANGED if is_same_run else Write.DUPLICATE


def shown(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item without what only the store needs."""
    return {name: value for name, value in item.items() if name not in SYSTEM_FIELDS}


def as_told(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of the change feed as its writer told it."""
    return {name: value for name, value in shown(document).items() if name != INGESTED_FROM}
