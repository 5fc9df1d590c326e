"""Where an order or a batch stands, looked up once or until it has come to an end.

Used by the functions that tell a status, and by `SubmitOrders` for a caller who waits.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from activities.orders import find_order, find_receipt
from domain import keys
from domain.order import parse_instant
from domain.payloads import REPLAY_FAILED
from domain.problem import Problem
from domain.replay import bulk_status
from domain.status import (
    FINAL_STATES,
    batch_status,
    item_status,
    order_status,
    queued_batch,
    queued_status,
)
from triggers._http import RETRY_AFTER_S, Refused, tagged_response, wait_s
from triggers._hub import Hub

Status = dict[str, Any]

_MAX_RETRY_AFTER_S = 30
_FINAL_BATCH_STATES = frozenset({"completed", "failed", "terminated"})
# Between two looks for a caller who waits: soon at first, then sparing the task hub.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


async def order_now(hub: Hub, order_id: str) -> Status:
    """The order's status without its links.

    Raises:
        Refused: it was never taken.
        StepError: the task hub or the store does not answer.
    """
    run = await hub.order_run(order_id)
    if run is not None:
        return order_status(order_id, run)
    receipt, item = await asyncio.gather(find_receipt(order_id), find_order(order_id))
    if item is not None:
        return item_status(item)
    if receipt is not None:
        return queued_status(order_id, receipt["submittedAt"])
    raise unknown("order")


async def batch_now(hub: Hub, batch_id: str) -> Status:
    """The batch's status, or a bulk replay's, without its links.

    Raises:
        Refused: it was never taken.
        StepError: the task hub or the store does not answer.
    """
    # A message without a batch id gives its own id, which may hold what an order's may not.
    if not batch_id or any(letter in batch_id for letter in "/\\#?"):
        raise unknown("batch")
    instance_id = keys.batch_instance_id(batch_id)
    run = await hub.run(instance_id)
    if run is not None and run.name == REPLAY_FAILED:
        return bulk_status(batch_id, run)
    if run is not None:
        under_way = run.custom_status.get("chunks") or []
        chunks = await asyncio.gather(*(hub.run(chunk) for chunk in under_way))
        return batch_status(batch_id, run, [chunk for chunk in chunks if chunk is not None])
    receipt = await find_receipt(instance_id)
    if receipt is None:
        raise unknown("batch")
    return queued_batch(batch_id, receipt["submittedAt"])


def is_final(told: Mapping[str, Any]) -> bool:
    """Whether this status, of an order or a batch, is the last of its attempt."""
    return told["state"] in (_FINAL_BATCH_STATES if "batchId" in told else FINAL_STATES)


async def watched(
    request: func.HttpRequest,
    look: Callable[[], Awaitable[Status]],
    is_end: Callable[[Status], bool] = is_final,
) -> Status:
    """The status, asked for again until it is the end or the caller's patience is over."""
    deadline = time.monotonic() + wait_s(request)
    pause = _FIRST_PAUSE_S
    while True:
        told = await look()
        left = deadline - time.monotonic()
        if is_end(told) or left <= 0:
            return told
        await asyncio.sleep(min(pause, left))
        pause = min(_LONGEST_PAUSE_S, pause * 1.5)


def status_response(
    request: func.HttpRequest, told: Status, links: dict[str, str]
) -> func.HttpResponse:
    """200 with a final status, 202 with any other, or 304."""
    headers = {"Cache-Control": "private, no-cache"}
    if wait_s(request):
        headers["Preference-Applied"] = f"wait={wait_s(request)}"
    body = {**told, "links": links}
    if is_final(told):
        return tagged_response(request, body, headers)
    until = (told.get("waitingFor") or {}).get("until")
    headers["Retry-After"] = str(_retry_after_s(until))
    return tagged_response(request, body, headers, status=202)


def unknown(what: str) -> Refused:
    """404: an order, or a batch, of which nothing is known."""
    return Refused(Problem("not-found", f"No {what} with this id was ever taken."))


def _retry_after_s(until: str | None) -> int:
    instant = parse_instant(until)
    if instant is None:
        return RETRY_AFTER_S
    left = (instant - datetime.now(UTC)).total_seconds()
    return max(RETRY_AFTER_S, min(_MAX_RETRY_AFTER_S, round(left)))
