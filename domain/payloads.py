"""What travels between triggers, orchestrators and activities, and the names they call by.

Each type turns itself into plain JSON and back, in one place. Names stand beside the payloads so
that an orchestrator names an activity without importing it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

# Orchestrators.
PROCESS_ORDER = "process_order"
PROCESS_BATCH = "process_batch"
PROCESS_CHUNK = "process_chunk"
REPLAY_FAILED = "replay_failed"

# Activities.
VALIDATE_ORDER = "validate_order"
ENRICH_ORDER = "enrich_order"
PERSIST_ORDER = "persist_order"
NOTIFY_ORDER = "notify_order"
ADMIT_BATCH = "admit_batch"
KEEP_RESULTS = "keep_results"
QUEUE_REPLAYS = "queue_replays"

# Steps of an order, in their order; each is one activity.
STEPS = {
    "validate": VALIDATE_ORDER,
    "enrich": ENRICH_ORDER,
    "persist": PERSIST_ORDER,
    "notify": NOTIFY_ORDER,
}

if TYPE_CHECKING:
    JsonObject = dict[str, Any]
else:
    # The Functions worker takes a plain class as a binding's annotation, and nothing generic.
    JsonObject = dict


@dataclass(frozen=True)
class Source:
    """Where an order came from; texts as the platform gave them, None when it gave none."""

    message_id: str | None = None
    enqueued_at: str | None = None
    batch_id: str | None = None

    def to_dict(self) -> JsonObject:
        return {
            "messageId": self.message_id,
            "enqueuedAt": self.enqueued_at,
            "batchId": self.batch_id,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any] | None) -> "Source":
        value = value or {}
        return cls(value.get("messageId"), value.get("enqueuedAt"), value.get("batchId"))


@dataclass(frozen=True)
class ProcessOrderInput:
    """Input of `process_order`.

    Attributes:
        order: as it was told, faults included.
        carried: results of steps that a former attempt completed, by step; they are not run again.
        replay: who asked for this attempt and why; None for an ordinary one.
    """

    order: JsonObject
    digest: str
    attempt: int = 1
    source: Source = field(default_factory=Source)
    carried: Mapping[str, JsonObject] = field(default_factory=dict)
    replay: JsonObject | None = None

    def to_dict(self) -> JsonObject:
        value: JsonObject = {
            "order": self.order,
            "digest": self.digest,
            "attempt": self.attempt,
            "source": self.source.to_dict(),
        }
        if self.carried:
            value["carried"] = dict(self.carried)
        if self.replay is not None:
            value["replay"] = self.replay
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ProcessOrderInput":
        return cls(
            order=value["order"],
            digest=value["digest"],
            attempt=value.get("attempt", 1),
            source=Source.from_dict(value.get("source")),
            carried=value.get("carried") or {},
            replay=value.get("replay"),
        )


@dataclass(frozen=True)
class ProcessBatchInput:
    """Input of `process_batch`; entries are as they were told, orders or not."""

    batch_id: str
    entries: list[Any]
    digest: str
    attempt: int = 1
    source: Source = field(default_factory=Source)

    def to_dict(self) -> JsonObject:
        return {
            "batchId": self.batch_id,
            "orders": self.entries,
            "digest": self.digest,
            "attempt": self.attempt,
            "source": self.source.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ProcessBatchInput":
        return cls(
            batch_id=value["batchId"],
            entries=value["orders"],
            digest=value["digest"],
            attempt=value.get("attempt", 1),
            source=Source.from_dict(value.get("source")),
        )


@dataclass(frozen=True)
class ProcessChunkInput:
    """Input of `process_chunk`: at most 50 admitted orders, each with the instance to run it."""

    orders: list["ChunkOrder"]
    source: Source

    def to_dict(self) -> JsonObject:
        return {
            "orders": [order.to_dict() for order in self.orders],
            "source": self.source.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ProcessChunkInput":
        orders = [
            ChunkOrder(item["order"], item["digest"], item["instanceId"])
            for item in value["orders"]
        ]
        return cls(orders, Source.from_dict(value.get("source")))


@dataclass(frozen=True)
class ChunkOrder:
    """One admitted order of a chunk."""

    order: JsonObject
    digest: str
    instance_id: str

    def to_dict(self) -> JsonObject:
        return {"order": self.order, "digest": self.digest, "instanceId": self.instance_id}


@dataclass(frozen=True)
class PersistInput:
    """Input of `persist_order`: all that the item is made of."""

    order: JsonObject
    digest: str
    attempt: int
    instance_id: str
    status: str
    processed_at: str
    source: Source
    totals: JsonObject | None = None
    enrichment: JsonObject | None = None
    errors: list[JsonObject] = field(default_factory=list)
    replay: JsonObject | None = None

    def to_dict(self) -> JsonObject:
        return {
            "order": self.order,
            "digest": self.digest,
            "attempt": self.attempt,
            "instanceId": self.instance_id,
            "status": self.status,
            "processedAt": self.processed_at,
            "source": self.source.to_dict(),
            "totals": self.totals,
            "enrichment": self.enrichment,
            "errors": self.errors,
            "replay": self.replay,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "PersistInput":
        return cls(
            order=value["order"],
            digest=value["digest"],
            attempt=value["attempt"],
            instance_id=value["instanceId"],
            status=value["status"],
            processed_at=value["processedAt"],
            source=Source.from_dict(value.get("source")),
            totals=value.get("totals"),
            enrichment=value.get("enrichment"),
            errors=value.get("errors") or [],
            replay=value.get("replay"),
        )


@dataclass(frozen=True)
class NotifyInput:
    """Input of `notify_order`: what the event tells."""

    order_id: str
    digest: str
    status: str
    attempt: int
    processed_at: str
    customer_id: str | None = None
    totals: JsonObject | None = None
    errors: list[JsonObject] = field(default_factory=list)

    def to_dict(self) -> JsonObject:
        return {
            "orderId": self.order_id,
            "digest": self.digest,
            "status": self.status,
            "attempt": self.attempt,
            "processedAt": self.processed_at,
            "customerId": self.customer_id,
            "totals": self.totals,
            "errors": self.errors,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "NotifyInput":
        return cls(
            order_id=value["orderId"],
            digest=value["digest"],
            status=value["status"],
            attempt=value["attempt"],
            processed_at=value["processedAt"],
            customer_id=value.get("customerId"),
            totals=value.get("totals"),
            errors=value.get("errors") or [],
        )


@dataclass(frozen=True)
class FailedOrder:
    """An order to replay, and the attempt that failed."""

    order_id: str
    attempt: int


@dataclass(frozen=True)
class ReplayFailedInput:
    """Input of `replay_failed`, and of `queue_replays` for some of its orders."""

    orders: list[FailedOrder]
    reason: str
    requested_by: str
    per_second: int

    def part(self, orders: list[FailedOrder]) -> JsonObject:
        """The same for some of the orders."""
        return ReplayFailedInput(orders, self.reason, self.requested_by, self.per_second).to_dict()

    def to_dict(self) -> JsonObject:
        return {
            "orders": [{"id": order.order_id, "attempt": order.attempt} for order in self.orders],
            "reason": self.reason,
            "requestedBy": self.requested_by,
            "perSecond": self.per_second,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ReplayFailedInput":
        return cls(
            orders=[FailedOrder(order["id"], order["attempt"]) for order in value["orders"]],
            reason=value["reason"],
            requested_by=value["requestedBy"],
            per_second=value["perSecond"],
        )
