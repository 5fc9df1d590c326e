"""`SubmitOrders`: takes one order or a batch over HTTP and puts it on the queue.

Answers 202 when the message is on the queue; the host sends it after this returns and answers 500
if it cannot. For a caller who waits (`Prefer: wait=N`) it is sent at once, and the answer is the
status if it is final in time. Only the shape and the ids are looked at here: an order with faults
is taken, and refused by its orchestration, so that the refusal is kept and told like every other
outcome.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from activities.orders import find_order, leave_receipt
from activities.send_message import send_message
from domain import keys
from domain.batches import content_digest
from domain.errors import StepError
from domain.jsontext import encode
from domain.messages import MAX_BODY_BYTES, OrderBatch, SingleOrder, Unusable, classify
from domain.order import digest, instant_text, is_usable_id
from domain.problem import Problem
from domain.starting import Decision, Start
from domain.status import InstanceView, state_of
from triggers._http import (
    RETRY_AFTER_S,
    Refused,
    answered,
    batch_links,
    json_response,
    order_links,
    prefers_minimal,
    read_json,
    wait_s,
)
from triggers._hub import DurableClient, Hub
from triggers._starts import start_after
from triggers._watching import Status, batch_now, is_final, order_now, watched

_log = logging.getLogger("orders.submit")

# What an answer tells of, so that it is no larger than what was sent.
_MAX_ERRORS = 100


async def submit_orders(
    request: func.HttpRequest,
    client: DurableClient,
    messages: func.Out[str],
    context: func.Context,
) -> func.HttpResponse:
    """202 with the place of the status, 200 with the status for a caller who waited for its end, or
    a problem (400, 409, 413, 415, 503)."""

    async def answer() -> func.HttpResponse:
        found = _read(request)
        if isinstance(found, OrderBatch):
            return await _submit_batch(request, Hub(client), messages, found)
        return await _submit_order(request, Hub(client), messages, found)

    return await answered(request, context, answer)


def _read(request: func.HttpRequest) -> SingleOrder | OrderBatch:
    content_type = (request.headers.get("Content-Type") or "application/json").lower()
    media_type = content_type.split(";")[0].strip()
    if media_type not in {"application/json", "text/json"} and not media_type.endswith("+json"):
        raise Refused(Problem("media-type", f"Send application/json, not '{media_type[:100]}'."))
    found = classify(read_json(request))
    if isinstance(found, OrderBatch):
        _check_entries(found)
        return found
    if isinstance(found, SingleOrder):
        return found
    reason = found.reason if isinstance(found, Unusable) else "The body is neither order nor batch."
    code = found.code if isinstance(found, Unusable) else "wrong_shape"
    raise Refused(Problem("malformed", reason, [{"field": "", "code": code, "message": reason}]))


def _check_entries(batch: OrderBatch) -> None:
    errors = [
        {
            "field": f"orders[{n}].id",
            "code": "invalid_id",
            "message": "It is not an order with a usable id.",
        }
        for n, entry in enumerate(batch.entries)
        if not isinstance(entry, dict) or not is_usable_id(entry.get("id"))
    ]
    if errors:
        detail = f"{len(errors)} of {len(batch.entries)} entries have no usable id."
        if len(errors) > _MAX_ERRORS:
            detail += f" These are the first {_MAX_ERRORS}."
        raise Refused(Problem("malformed", detail, errors[:_MAX_ERRORS]))


async def _submit_order(
    request: func.HttpRequest, hub: Hub, messages: func.Out[str], order: SingleOrder
) -> func.HttpResponse:
    order_id, content = order.raw["id"], digest(order.raw)
    body = _fitting(encode(order.raw))
    run, item = await asyncio.gather(hub.order_run(order_id), find_order(order_id))
    start = start_after(run, content)
    if run is None and item is not None:
        # The task hub has forgotten the run; the item is what is left of it.
        same = item.get("digest") == content
        start = Start(Decision.SAME if same else Decision.CONFLICT, item.get("attempt", 1))
    elif run is None:
        await _leave_receipt(f"order '{order_id}'", order_id, content)
    if start.decision is Decision.CONFLICT:
        raise _conflict(f"order '{order_id}'")
    links = order_links(request, order_id)
    state = "queued" if start.decision is Decision.START else _state(run, item)
    told = {"orderId": order_id, "state": state, "digest": content, "links": links}
    if start.decision is Decision.START:
        await _queue(request, messages, body)
    return await _answer(request, told, start.attempt, lambda: order_now(hub, order_id))


async def _submit_batch(
    request: func.HttpRequest, hub: Hub, messages: func.Out[str], batch: OrderBatch
) -> func.HttpResponse:
    content = content_digest(batch.entries)
    batch_id = batch.batch_id or _idempotency_key(request) or keys.derived_batch_id(content)
    body = _fitting(encode({"batchId": batch_id, "orders": list(batch.entries)}))
    instance_id = keys.batch_instance_id(batch_id)
    run = await hub.run(instance_id)
    start = start_after(run, content)
    if run is None:
        await _leave_receipt(f"batch '{batch_id}'", instance_id, content)
    if start.decision is Decision.CONFLICT:
        raise _conflict(f"batch '{batch_id}'")
    told = {
        "batchId": batch_id,
        "state": "queued" if run is None or start.decision is Decision.START else _batch_state(run),
        "total": len(batch.entries),
        "links": batch_links(request, batch_id),
    }
    if start.decision is Decision.START:
        await _queue(request, messages, body)
    return await _answer(request, told, start.attempt, lambda: batch_now(hub, batch_id))


async def _queue(request: func.HttpRequest, messages: func.Out[str], body: str) -> None:
    """On the queue: at once for a caller who waits, else by the binding when this has returned."""
    if wait_s(request):
        await send_message(body)
    else:
        messages.set([body])  # type: ignore[arg-type]


async def _answer(
    request: func.HttpRequest,
    told: dict[str, Any],
    attempt: int,
    look: Callable[[], Awaitable[Status]],
) -> func.HttpResponse:
    """That it was taken; for a caller who waits, how this attempt stands after that."""
    if not wait_s(request):
        return _accepted(request, told)

    def is_end(status: Status) -> bool:
        # A run that failed before is still to be seen until the message is handled.
        return is_final(status) and status.get("attempt", 1) >= attempt

    try:
        status = await watched(request, look, is_end)
    except StepError as error:
        # It has been taken all the same, and a 503 would deny it.
        _log.warning("not waited for: %s", error)
        return _accepted(request, told)
    if is_end(status):
        body = {**status, "links": told["links"]}
        return json_response(body, 200, {"Preference-Applied": f"wait={wait_s(request)}"})
    if status.get("attempt", 1) >= attempt:
        told = {**told, "state": status["state"]}
    return _accepted(request, told, [f"wait={wait_s(request)}"])


def _idempotency_key(request: func.HttpRequest) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    # The header's standard form is a quoted text.
    key = key.strip().strip('"')
    if not is_usable_id(key):
        rule = "The header Idempotency-Key takes 1 to 100 of A-Z a-z 0-9 . _ -."
        raise Refused(Problem("invalid-parameter", rule))
    return key


async def _leave_receipt(what: str, item_id: str, content: str) -> None:
    earlier = await leave_receipt(item_id, content, instant_text(datetime.now(UTC)))
    if earlier is not None and earlier.get("digest") != content:
        raise _conflict(what)


def _fitting(body: str) -> str:
    size = len(body.encode("utf-8"))
    if size > MAX_BODY_BYTES:
        detail = f"{size} bytes; a message holds {MAX_BODY_BYTES}."
        raise Refused(Problem("too-large", detail))
    return body


def _conflict(what: str) -> Refused:
    return Refused(Problem("conflict", f"Another {what} with other content was taken before."))


def _state(run: InstanceView | None, item: dict[str, Any] | None) -> str:
    if run is not None:
        return state_of(run)
    return str((item or {}).get("status", "processed"))


def _batch_state(run: InstanceView) -> str:
    return "completed" if run.runtime_status == "Completed" else state_of(run)


def _accepted(
    request: func.HttpRequest, told: dict[str, Any], applied: Sequence[str] = ()
) -> func.HttpResponse:
    headers = {"Location": told["links"]["self"], "Retry-After": str(RETRY_AFTER_S)}
    is_minimal = prefers_minimal(request)
    honoured = [*applied, *(["return=minimal"] if is_minimal else [])]
    if honoured:
        headers["Preference-Applied"] = ", ".join(honoured)
    if is_minimal:
        return func.HttpResponse(status_code=202, headers=headers)
    return json_response(told, 202, headers)
