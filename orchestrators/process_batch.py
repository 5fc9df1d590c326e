"""A batch: admit, fan out by chunks, fan in one summary.

Chunks run in waves, so that the number of orders in flight is bounded and the cost of a batch grows
with its size and not with its square. One failed order fails neither its siblings nor the batch.
Started by `ProcessOrders`; what the custom status holds is for progress bars.
"""

import logging
from typing import Any

from domain import batches, keys
from domain.batches import Outcome
from domain.errors import BATCH_FAILED, OrderFailure
from domain.payloads import (
    ADMIT_BATCH,
    PROCESS_CHUNK,
    ChunkOrder,
    ProcessBatchInput,
    ProcessChunkInput,
    Source,
)
from orchestrators._children import in_turn
from orchestrators._context import OrchestrationContext, Steps
from orchestrators._retry import GaveUp, Unobserved, call_with_retry
from orchestrators.process_chunk import failure_of

_log = logging.getLogger("orders.process_batch")


class BatchFailed(Exception):
    """The batch could not be admitted; the text says why."""


def process_batch(context: OrchestrationContext) -> Steps:
    """Runs a batch and returns its summary.

    Raises:
        BatchFailed: the batch could not be admitted; none of its orders has started.
    """
    given = ProcessBatchInput.from_dict(context.get_input())
    total = len(given.entries)
    context.set_custom_status({"stage": "admit", **batches.counts(total, ())})
    try:
        admission = yield from call_with_retry(
            context, ADMIT_BATCH, {"orders": given.entries}, Unobserved()
        )
    except GaveUp as end:
        failure = OrderFailure("admit", end.failure.code, end.attempts, end.failure.message)
        if not context.is_replaying:
            _log.error(failure.to_text(BATCH_FAILED), exc_info=True)
        raise BatchFailed(failure.to_text(BATCH_FAILED)) from None

    outcomes = [Outcome.from_dict(outcome) for outcome in admission["settled"]]
    chunks = batches.chunks([_order(given, entry) for entry in admission["admitted"]])
    for first in range(0, len(chunks), batches.CHUNKS_IN_FLIGHT):
        wave = chunks[first : first + batches.CHUNKS_IN_FLIGHT]
        yield from _run_wave(context, given, first, wave, outcomes)
    return batches.summary(given.batch_id, total, outcomes)


def _run_wave(
    context: OrchestrationContext,
    given: ProcessBatchInput,
    first: int,
    wave: list[list[ChunkOrder]],
    outcomes: list[Outcome],
) -> Steps:
    """Runs the chunks of one wave at the same time; their outcomes are in `outcomes` then."""
    source = Source(given.source.message_id, given.source.enqueued_at, given.batch_id)
    running = [
        keys.chunk_instance_id(given.batch_id, given.attempt, first + n) for n in range(len(wave))
    ]

    def show() -> None:
        told = batches.counts(len(given.entries), outcomes)
        context.set_custom_status({"stage": "run", **told, "chunks": list(running)})

    def ended(what: tuple[str, list[ChunkOrder]], result: Any) -> None:
        instance_id, orders = what
        running.remove(instance_id)
        outcomes.extend(_chunk_outcomes(orders, result))
        show()

    children = [
        (
            context.call_sub_orchestrator(
                PROCESS_CHUNK, ProcessChunkInput(orders, source).to_dict(), instance_id
            ),
            (instance_id, orders),
        )
        for instance_id, orders in zip(running, wave, strict=True)
    ]
    show()
    yield from in_turn(context, children, ended)


def _order(given: ProcessBatchInput, admitted: dict[str, Any]) -> ChunkOrder:
    order = given.entries[admitted["index"]]
    child = keys.child_instance_id(order["id"], given.batch_id, given.attempt)
    return ChunkOrder(order, admitted["digest"], child)


def _chunk_outcomes(orders: list[ChunkOrder], result: Any) -> list[Outcome]:
    if isinstance(result, Exception):
        failure = failure_of(str(result))
        return [Outcome(order.order["id"], "failed", failure) for order in orders]
    return [Outcome.from_dict(outcome) for outcome in result["outcomes"]]
