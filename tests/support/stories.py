"""The stories whose histories are kept in `tests/replay/histories`, and how each was recorded."""

from collections.abc import Callable
from typing import Any

from orchestrators.process_batch import process_batch
from orchestrators.process_chunk import process_chunk
from orchestrators.process_order import process_order
from orchestrators.replay_failed import replay_failed
from tests.support.orders import an_order, order_input
from tests.support.recording import Answer, Asked, Driver, Failed, Pick, first
from tests.support.replay import Orchestration, Recording

ENRICHED = {
    "enrichment": {"fallbacks": []},
    "totals": {"currency": "EUR", "lines": ["39.80"], "subtotal": "39.80", "total": "47.76"},
}
WRITTEN = {
    "write": "created",
    "status": "processed",
    "processedAt": "2026-11-20T09:30:00.750000Z",
}
FAULT = {"field": "currency", "code": "unknown_currency", "message": "No such currency."}


def steps(**answers: Any) -> Answer:
    """Answers by activity; a list is used up one by one, anything else is given every time."""
    plan: dict[str, Any] = {
        "validate_order": {"errors": []},
        "enrich_order": ENRICHED,
        "persist_order": WRITTEN,
        "notify_order": {"eventId": "e"},
        "keep_results": None,
        **answers,
    }

    def answer(task: Asked) -> Any:
        told = plan[task.name]
        return told.pop(0) if isinstance(told, list) else told

    return answer


def recorded(
    story: str,
    orchestration: Orchestration,
    value: Any,
    answer: Callable[[], Answer],
    *,
    pick: Pick = first,
    instance_id: str = "ORD-1",
) -> Callable[[], Recording]:
    """A story that can be recorded."""

    def record() -> Recording:
        driver = Driver(orchestration, value, answer(), instance_id=instance_id, pick=pick)
        driver.run()
        name = orchestration.__name__
        return Recording(story, name, instance_id, value, driver.history)

    return record


def _batch_input(count: int) -> dict[str, Any]:
    return {
        "batchId": "day-1",
        "orders": [an_order(id=f"ORD-{n}") for n in range(count)],
        "digest": "d",
        "attempt": 1,
        "source": {"messageId": "m", "enqueuedAt": None, "batchId": None},
    }


def _admit_all(task: Asked) -> Any:
    orders = task.input["orders"]
    return {
        "admitted": [{"index": n, "digest": f"d{n}"} for n in range(len(orders))],
        "settled": [],
    }


def batch_answers(task: Asked) -> Any:
    """Admits every order; every chunk processes all of its own."""
    if task.name == "admit_batch":
        return _admit_all(task)
    told = [{"id": item["order"]["id"], "status": "processed"} for item in task.input["orders"]]
    return {"outcomes": told}


def chunk_answers(task: Asked) -> Any:
    """The second order fails, the third is refused, the others are processed."""
    order_id = task.input["order"]["id"]
    if order_id == "ORD-1":
        return Failed("ORDER_FAILED stage=persist code=STORE_UNAVAILABLE attempts=6: No answer.")
    is_refused = order_id == "ORD-2"
    return {
        "orderId": order_id,
        "status": "rejected" if is_refused else "processed",
        "errors": [FAULT] if is_refused else [],
    }


def chunk_input(count: int) -> dict[str, Any]:
    """Input of `process_chunk` with this many orders."""
    return {
        "orders": [
            {"order": an_order(id=f"ORD-{n}"), "digest": f"d{n}", "instanceId": f"ORD-{n}:batch:x"}
            for n in range(count)
        ],
        "source": {"messageId": "m", "enqueuedAt": None, "batchId": "day-1"},
    }


def replay_input(count: int, per_second: int) -> dict[str, Any]:
    """Input of `replay_failed` with this many orders."""
    return {
        "orders": [{"id": f"ORD-{n}", "attempt": 1} for n in range(count)],
        "reason": "the store is back",
        "requestedBy": "ops",
        "perSecond": per_second,
    }


def last(outstanding: list[Asked]) -> Asked:
    """Answers the other way round."""
    return outstanding[-1]


_BUSY = Failed("StepError: [STORE_BUSY] The order store is busy (429).")
_REFUSED = Failed("StepError: [STORE_REFUSED] The order store refuses the request (403).")
_QUEUE_DOWN = Failed("InjectedFault: Injected fault.")

STORIES: dict[str, Callable[[], Recording]] = {
    "order_processed": recorded(
        "An ordinary order goes through.", process_order, order_input(), steps
    ),
    "order_rejected": recorded(
        "An order with a fault is persisted and told as rejected.",
        process_order,
        order_input(),
        lambda: steps(
            validate_order={"errors": [FAULT]}, persist_order={**WRITTEN, "status": "rejected"}
        ),
    ),
    "store_busy_twice_then_written": recorded(
        "The store is busy at the first two writes.",
        process_order,
        order_input(),
        lambda: steps(persist_order=[_BUSY, _BUSY, WRITTEN]),
    ),
    "store_refuses_and_order_fails_at_once": recorded(
        "The store refuses the write; no retry can help.",
        process_order,
        order_input(),
        lambda: steps(persist_order=_REFUSED),
    ),
    "events_unavailable_until_attempts_run_out": recorded(
        "The event cannot be published, however often it is tried.",
        process_order,
        order_input(),
        lambda: steps(notify_order=Failed("InjectedFault: Injected fault.")),
    ),
    "replayed_with_three_steps_carried": recorded(
        "A replay carries what succeeded before and only notifies.",
        process_order,
        {
            **order_input(attempt=2),
            "carried": {"validate": {"errors": []}, "enrich": ENRICHED, "persist": WRITTEN},
            "replay": {"requestedBy": "ops", "reason": "topic was down"},
        },
        steps,
    ),
    "another_run_was_first": recorded(
        "Another run of the same order has written; this one does not notify.",
        process_order,
        order_input(),
        lambda: steps(persist_order={**WRITTEN, "write": "duplicate"}),
    ),
    "chunk_with_a_failure_and_a_refusal": recorded(
        "One of five children fails, one is refused; the others are not touched by it.",
        process_chunk,
        chunk_input(5),
        lambda: chunk_answers,
        pick=last,
        instance_id="batch:day-1:1:0",
    ),
    "batch_of_five_chunks_in_two_waves": recorded(
        "A batch of 210 runs four chunks, then the fifth.",
        process_batch,
        _batch_input(210),
        lambda: batch_answers,
        pick=last,
        instance_id="batch:day-1",
    ),
    "bulk_replay_in_three_groups": recorded(
        "Five orders are queued two a second; the queue does not answer once.",
        replay_failed,
        replay_input(5, 2),
        lambda: steps(queue_replays=[2, _QUEUE_DOWN, 2, 1]),
        instance_id="batch:replay-1",
    ),
    "bulk_replay_gives_up": recorded(
        "The queue takes the first group and then refuses.",
        replay_failed,
        replay_input(4, 2),
        lambda: steps(queue_replays=[2, *[_QUEUE_DOWN] * 20]),
        instance_id="batch:replay-1",
    ),
}
