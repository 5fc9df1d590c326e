"""From what the task hub knows of an instance to what the API tells about an order.

`FOLLOWS` is the one table of which state may follow which. Pure: the triggers fetch an
`InstanceView` and add the links. The custom status that is read here is written by
`orchestrators/_progress.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import read_order_failed
from domain.order import parse_instant
from domain.payloads import STEPS
from domain.starting import ENDED_BADLY

# State of an order: those that may follow it within one attempt. A failed or terminated order goes
# on only as a new attempt, which may begin in any state.
FOLLOWS: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "processed", "rejected", "failed", "terminated"}),
    "running": frozenset({"processed", "rejected", "failed", "terminated"}),
    "processed": frozenset(),
    "rejected": frozenset(),
    "failed": frozenset(),
    "terminated": frozenset(),
}
STATES = tuple(FOLLOWS)
FINAL_STATES = frozenset(state for state, next_ones in FOLLOWS.items() if not next_ones)
DONE = "done"
# What a batch is counted by, in the words of `batches.counts`.
BATCH_COUNTS = (
    *("total", "processed", "rejected", "failed"),
    *("duplicates", "conflicts", "invalid", "running"),
)

_RUNTIME_STATES = {
    "Pending": "queued",
    "Running": "running",
    "ContinuedAsNew": "running",
    "Suspended": "running",
    "Failed": "failed",
    "Terminated": "terminated",
    "Canceled": "terminated",
}


@dataclass(frozen=True)
class InstanceView:
    """An orchestration instance as the task hub tells it; times are RFC 3339 texts in UTC."""

    instance_id: str
    name: str
    runtime_status: str
    created_at: str | None
    updated_at: str | None
    input: Mapping[str, Any]
    custom_status: Mapping[str, Any]
    output: Any


def may_follow(before: tuple[str, int], after: tuple[str, int]) -> bool:
    """Whether an order seen as (state, attempt) `before` may be seen as `after` later."""
    (old, old_attempt), (new, new_attempt) = before, after
    if new_attempt != old_attempt:
        return new_attempt > old_attempt
    return new == old or new in FOLLOWS[old]


def state_of(view: InstanceView) -> str:
    """The order's state."""
    if view.runtime_status == "Completed":
        status = view.output.get("status") if isinstance(view.output, Mapping) else None
        return status if status in FOLLOWS else "processed"
    return _RUNTIME_STATES.get(view.runtime_status, "running")


def leading(views: Sequence[InstanceView]) -> InstanceView | None:
    """Of several runs of one order, the one that says how the order stands.

    One that came to an outcome, which is final; else one that is under way; else the latest that
    ended badly. An order has several runs when it came by itself and in a batch too.
    """
    if not views:
        return None

    def rank(view: InstanceView) -> tuple[int, str]:
        if view.runtime_status == "Completed":
            return 2, view.created_at or ""
        return (0 if view.runtime_status in ENDED_BADLY else 1), view.created_at or ""

    return max(views, key=rank)


def order_status(order_id: str, view: InstanceView) -> dict[str, Any]:
    """The status body of design 3.6 without its links."""
    state = state_of(view)
    told = view.custom_status
    steps = [dict(step) for step in told.get("steps", ())] or _untouched_steps()
    submitted_at = (view.input.get("source") or {}).get("enqueuedAt") or view.created_at
    return {
        "orderId": order_id,
        "state": state,
        "stage": _stage(state, told),
        "attempt": view.input.get("attempt", told.get("attempt", 1)),
        "submittedAt": submitted_at,
        "updatedAt": _updated_at(view, steps, submitted_at),
        "steps": steps,
        "error": _error(state, view),
        "waitingFor": _waiting(state, view),
    }


def queued_status(order_id: str, submitted_at: str) -> dict[str, Any]:
    """The status of an order that was taken and whose orchestration has not begun."""
    return {
        "orderId": order_id,
        "state": "queued",
        "stage": "queued",
        "attempt": 1,
        "submittedAt": submitted_at,
        "updatedAt": submitted_at,
        "steps": _untouched_steps(),
        "error": None,
        "waitingFor": {"what": "its message in the queue", "since": submitted_at, "until": None},
    }


def item_status(item: Mapping[str, Any]) -> dict[str, Any]:
    """The status of an order of which only the item is left: the task hub has forgotten the run."""
    return {
        "orderId": item["id"],
        "state": item.get("status", "processed"),
        "stage": DONE,
        "attempt": item.get("attempt", 1),
        "submittedAt": (item.get("source") or {}).get("enqueuedAt"),
        "updatedAt": item.get("processedAt"),
        "steps": [],
        "error": None,
        "waitingFor": None,
    }


def carried_results(view: InstanceView) -> dict[str, Any] | None:
    """Results of the steps that a failed run completed; None when its status could not hold them.

    They are in the item `keys.results_item_id(instance id)` then.
    """
    results = view.custom_status.get("results")
    return dict(results) if isinstance(results, Mapping) else None


def _untouched_steps() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "state": "pending",
            "started": None,
            "completed": None,
            "attempts": 0,
            "error": None,
        }
        for name in STEPS
    ]


def _updated_at(
    view: InstanceView, steps: Sequence[Mapping[str, Any]], submitted_at: str | None
) -> str | None:
    """The latest instant that is known of the run.

    The task hub tells its own in whole seconds, which would lie before what was told already.
    """
    replayed = view.input.get("replay")
    told = [view.updated_at, submitted_at, *(step.get("started") for step in steps)]
    told += [step.get("completed") for step in steps]
    told.append(replayed.get("startedAt") if isinstance(replayed, Mapping) else None)
    known = [(instant, text) for text in told if (instant := parse_instant(text)) is not None]
    return max(known)[1] if known else view.updated_at


def _stage(state: str, told: Mapping[str, Any]) -> str:
    if state in {"processed", "rejected"}:
        return DONE
    stage = told.get("stage")
    return stage if isinstance(stage, str) else "queued"


def _error(state: str, view: InstanceView) -> dict[str, Any] | None:
    if state == "terminated":
        reason = view.output if isinstance(view.output, str) else "No reason was given."
        stage = view.custom_status.get("stage")
        return {"stage": stage, "code": "TERMINATED", "message": reason}
    if state != "failed":
        return None
    told = view.custom_status.get("error")
    if isinstance(told, Mapping):
        return dict(told)
    text = view.output if isinstance(view.output, str) else ""
    failure = read_order_failed(text)
    if failure is not None:
        return failure.to_dict()
    stage = view.custom_status.get("stage")
    return {"stage": stage, "code": "UNEXPECTED", "message": text[:500]}


def _waiting(state: str, view: InstanceView) -> dict[str, Any] | None:
    if state in FINAL_STATES:
        return None
    if view.runtime_status == "Suspended":
        return {"what": "an operator, who suspended it", "since": view.updated_at, "until": None}
    if view.runtime_status == "Pending":
        return {"what": "a worker", "since": view.created_at, "until": None}
    waiting = view.custom_status.get("waitingFor")
    return dict(waiting) if isinstance(waiting, Mapping) else None


def batch_status(
    batch_id: str, view: InstanceView, chunks: Sequence[InstanceView]
) -> dict[str, Any]:
    """The status of a batch without its links.

    Args:
        chunks: those of its chunks that are under way; what they have done is counted in.
    """
    state = {"Completed": "completed"}.get(view.runtime_status) or _RUNTIME_STATES.get(
        view.runtime_status, "running"
    )
    summary = view.output if state == "completed" and isinstance(view.output, Mapping) else None
    told = summary if summary is not None else view.custom_status
    counts = {name: told.get(name, 0) for name in BATCH_COUNTS}
    for chunk in chunks if summary is None else ():
        _count_in(counts, chunk.custom_status)
    return {
        "batchId": batch_id,
        "state": state,
        "stage": DONE if summary is not None else view.custom_status.get("stage", "queued"),
        "attempt": view.input.get("attempt", 1),
        **counts,
        "submittedAt": (view.input.get("source") or {}).get("enqueuedAt") or view.created_at,
        "updatedAt": view.updated_at,
        "error": _error(state, view),
        "summary": dict(summary) if summary is not None else None,
    }


def queued_batch(batch_id: str, submitted_at: str) -> dict[str, Any]:
    """The status of a batch that was taken and whose orchestration has not begun."""
    return {
        "batchId": batch_id,
        "state": "queued",
        "stage": "queued",
        "attempt": 1,
        **dict.fromkeys(BATCH_COUNTS, 0),
        "submittedAt": submitted_at,
        "updatedAt": submitted_at,
        "error": None,
        "summary": None,
    }


def _count_in(counts: dict[str, int], chunk: Mapping[str, Any]) -> None:
    for name in ("processed", "rejected", "failed"):
        done = chunk.get(name, 0)
        counts[name] += done
        counts["running"] -= done
