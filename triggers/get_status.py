"""`GetOrderStatus` and `GetBatchStatus`: where an order or a batch stands, for polling.

An order that failed is a fact like any other: 200, never a server error.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from activities.orders import find_order, find_receipt
from domain import keys
from domain.order import is_usable_id, parse_instant
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
from triggers._http import (
    RETRY_AFTER_S,
    Refused,
    answered,
    batch_links,
    order_links,
    tagged_response,
    wait_s,
)
from triggers._hub import DurableClient, Hub

_MAX_RETRY_AFTER_S = 30
_FINAL_BATCH_STATES = frozenset({"completed", "failed", "terminated"})
# Between two looks for a caller who waits: soon at first, then sparing the task hub.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


async def get_order_status(
    request: func.HttpRequest, client: DurableClient, context: func.Context
) -> func.HttpResponse:
    """202 while the order is under way, 200 when its state is final, or a problem (404, 503)."""

    async def answer() -> func.HttpResponse:
        order_id = request.route_params["id"]
        if not is_usable_id(order_id):
            raise _unknown("order")
        hub = Hub(client)
        told = await _awaited(request, lambda: _order(hub, order_id), FINAL_STATES)
        return _told(request, told, order_links(request, order_id), FINAL_STATES)

    return await answered(request, context, answer)


async def get_batch_status(
    request: func.HttpRequest, client: DurableClient, context: func.Context
) -> func.HttpResponse:
    """202 while the batch is under way, 200 when it has ended, or a problem (404, 503)."""

    async def answer() -> func.HttpResponse:
        batch_id = request.route_params["id"]
        hub = Hub(client)
        told = await _awaited(request, lambda: _batch(hub, batch_id), _FINAL_BATCH_STATES)
        return _told(request, told, batch_links(request, batch_id), _FINAL_BATCH_STATES)

    return await answered(request, context, answer)


async def _order(hub: Hub, order_id: str) -> dict[str, Any]:
    run = await hub.order_run(order_id)
    if run is not None:
        return order_status(order_id, run)
    receipt, item = await asyncio.gather(find_receipt(order_id), find_order(order_id))
    if item is not None:
        return item_status(item)
    if receipt is not None:
        return queued_status(order_id, receipt["submittedAt"])
    raise _unknown("order")


async def _batch(hub: Hub, batch_id: str) -> dict[str, Any]:
    # A message without a batch id gives its own id, which may hold what an order's may not.
    if not batch_id or any(letter in batch_id for letter in "/\\#?"):
        raise _unknown("batch")
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
        raise _unknown("batch")
    return queued_batch(batch_id, receipt["submittedAt"])


async def _awaited(
    request: func.HttpRequest,
    look: Callable[[], Awaitable[dict[str, Any]]],
    final: Collection[str],
) -> dict[str, Any]:
    """The status, asked for again until it is final or the caller's patience is over."""
    deadline = time.monotonic() + wait_s(request)
    pause = _FIRST_PAUSE_S
    while True:
        told = await look()
        left = deadline - time.monotonic()
        if told["state"] in final or left <= 0:
            return told
        await asyncio.sleep(min(pause, left))
        pause = min(_LONGEST_PAUSE_S, pause * 1.5)


def _told(
    request: func.HttpRequest, told: dict[str, Any], links: dict[str, str], final: Collection[str]
) -> func.HttpResponse:
    headers = {"Cache-Control": "private, no-cache"}
    if wait_s(request):
        headers["Preference-Applied"] = f"wait={wait_s(request)}"
    body = {**told, "links": links}
    if told["state"] in final:
        return tagged_response(request, body, headers)
    until = (told.get("waitingFor") or {}).get("until")
    headers["Retry-After"] = str(_retry_after_s(until))
    return tagged_response(request, body, headers, status=202)


def _retry_after_s(until: str | None) -> int:
    instant = parse_instant(until)
    if instant is None:
        return RETRY_AFTER_S
    left = (instant - datetime.now(UTC)).total_seconds()
    return max(RETRY_AFTER_S, min(_MAX_RETRY_AFTER_S, round(left)))


def _unknown(what: str) -> Refused:
    return Refused(Problem("not-found", f"No {what} with this id was ever taken."))
