"""At most 50 orders of a batch at once, each in a child orchestration of its own.

The parent of so few that its history stays short. Started by `process_batch`; its result is one
outcome per order, its custom status the counts so far.
"""

from collections.abc import Mapping
from typing import Any

from domain.batches import Outcome, counts
from domain.errors import read_failure, read_order_failed
from domain.payloads import PROCESS_ORDER, ChunkOrder, ProcessChunkInput, ProcessOrderInput
from orchestrators._children import in_turn
from orchestrators._context import OrchestrationContext, Steps

_MAX_TOLD_ERRORS = 5


def process_chunk(context: OrchestrationContext) -> Steps:
    """Runs the orders and returns `{"outcomes": [...]}`; never fails for one of them."""
    given = ProcessChunkInput.from_dict(context.get_input())
    outcomes: list[Outcome] = []

    def ended(order: ChunkOrder, result: Any) -> None:
        outcomes.append(outcome_of(order.order["id"], result))
        context.set_custom_status(counts(len(given.orders), outcomes))

    children = [
        (
            context.call_sub_orchestrator(
                PROCESS_ORDER,
                ProcessOrderInput(order.order, order.digest, source=given.source).to_dict(),
                order.instance_id,
            ),
            order,
        )
        for order in given.orders
    ]
    context.set_custom_status(counts(len(given.orders), outcomes))
    yield from in_turn(context, children, ended)
    return {"outcomes": [outcome.to_dict() for outcome in outcomes]}


def outcome_of(order_id: str, result: Any) -> Outcome:
    """What a child's result, or the exception it failed with, means for its order."""
    if isinstance(result, Exception):
        return Outcome(order_id, "failed", failure_of(str(result)))
    status = result["status"]
    return Outcome(order_id, status, _refusal(result) if status == "rejected" else None)


def failure_of(text: str) -> dict[str, Any]:
    """Stage, code and message out of a failed child's text."""
    failure = read_order_failed(text)
    return failure.to_dict() if failure is not None else read_failure(text).to_dict()


def _refusal(result: Mapping[str, Any]) -> dict[str, Any]:
    errors = result.get("errors") or []
    return {
        "code": "rejected",
        "message": f"{errors[0]['field']}: {errors[0]['message']}" if errors else "It was refused.",
        "errors": errors[:_MAX_TOLD_ERRORS],
    }
