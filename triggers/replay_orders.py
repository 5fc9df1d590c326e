"""`ReplayOrder` and `ReplayFailedOrders`: new attempts at orders that failed.

One order is replayed at once, under the same instance id. Many go through the orchestrator
`replay_failed`, which queues them at a bounded rate; with `dryRun` the answer is the plan.
"""

from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from activities.keep_results import kept_results
from domain import keys
from domain.errors import StepError
from domain.order import instant_text, is_usable_id
from domain.payloads import PROCESS_ORDER, REPLAY_FAILED, FailedOrder, ReplayFailedInput
from domain.problem import Problem
from domain.replay import (
    InvalidReplay,
    ReplayRequest,
    Selection,
    attempt_of,
    next_input,
    order_id_of,
    plan_entry,
    read_request,
    read_selection,
    refusal,
)
from domain.status import InstanceView, carried_results
from triggers._http import (
    RETRY_AFTER_S,
    Refused,
    answered,
    batch_links,
    json_response,
    order_links,
    read_json,
)
from triggers._hub import DurableClient, Hub, refused

_CALLER_HEADER = "X-Orders-Caller"
_UNKNOWN_CALLER = "unknown"


async def replay_order(
    request: func.HttpRequest, client: DurableClient, context: func.Context
) -> func.HttpResponse:
    """202 with the place of the status, or a problem (400, 404, 409, 503)."""

    async def answer() -> func.HttpResponse:
        order_id = request.route_params["id"]
        hub = Hub(client)
        run = await hub.order_run(order_id) if is_usable_id(order_id) else None
        if run is None:
            raise Refused(Problem("not-found", "No order with this id was ever taken."))
        wanted = _read(lambda body: read_request(body, order_id, _caller(request)), request)
        attempt = await start_replay(hub, run, wanted)
        links = order_links(request, order_id)
        told = {"orderId": order_id, "state": "queued", "attempt": attempt, "links": links}
        headers = {"Location": links["self"], "Retry-After": str(RETRY_AFTER_S)}
        return json_response(told, 202, headers)

    return await answered(request, context, answer)


async def replay_failed_orders(
    request: func.HttpRequest, client: DurableClient, context: func.Context
) -> func.HttpResponse:
    """202 with the place of the status, 200 with the plan, or a problem (400, 503)."""

    async def answer() -> func.HttpResponse:
        selection: Selection = _read(read_selection, request)
        hub = Hub(client)
        runs = [run for run in await _candidates(hub, selection) if selection.takes(run)]
        if selection.is_dry_run:
            plan = [plan_entry(run, await _kept(run)) for run in runs]
            return json_response({"dryRun": True, "total": len(plan), "orders": plan})
        return await _start_bulk(request, context, hub, selection, runs)

    return await answered(request, context, answer)


async def start_replay(hub: Hub, run: InstanceView, wanted: ReplayRequest) -> int:
    """A new attempt at the run's order has started; returns its number.

    Raises:
        Refused: an attempt is under way, or the order did not fail.
        StepError: the task hub or the store does not answer.
    """
    reason = refusal(run, is_corrected=wanted.corrected is not None)
    if reason is not None:
        raise Refused(Problem("conflict", reason))
    started_at = instant_text(datetime.now(UTC))
    value = next_input(run, await _kept(run), wanted, started_at)
    try:
        await hub.start(PROCESS_ORDER, run.instance_id, value.to_dict())
    except StepError:
        raise
    except Exception as error:
        # The task hub refuses an id that is active: another replay was faster.
        now = await hub.run(run.instance_id)
        if now is not None and attempt_of(now) > attempt_of(run):
            raise Refused(Problem("conflict", "Another replay was faster.")) from None
        raise refused(error) from error
    return value.attempt


async def _start_bulk(
    request: func.HttpRequest,
    context: func.Context,
    hub: Hub,
    selection: Selection,
    runs: list[InstanceView],
) -> func.HttpResponse:
    batch_id = f"replay-{context.invocation_id}"
    value = ReplayFailedInput(
        orders=[FailedOrder(order_id_of(run), attempt_of(run)) for run in runs],
        reason=selection.reason,
        requested_by=_caller(request),
        per_second=selection.per_second,
    )
    await hub.start(REPLAY_FAILED, keys.batch_instance_id(batch_id), value.to_dict())
    links = batch_links(request, batch_id)
    headers = {"Location": links["self"], "Retry-After": str(RETRY_AFTER_S)}
    return json_response({"batchId": batch_id, "total": len(runs), "links": links}, 202, headers)


async def _candidates(hub: Hub, selection: Selection) -> list[InstanceView]:
    if not selection.ids:
        return await hub.ended_badly()
    found = [await hub.order_run(order_id) for order_id in sorted(selection.ids)]
    return [run for run in found if run is not None]


async def _kept(run: InstanceView) -> dict[str, Any] | None:
    if carried_results(run) is not None:
        return None
    return await kept_results(run.instance_id)


def _read(parse: Any, request: func.HttpRequest) -> Any:
    try:
        return parse(read_json(request))
    except InvalidReplay as error:
        told = [{"field": error.field, "code": "invalid", "message": str(error)}]
        detail = f"{error.field}: {error}" if error.field else str(error)
        raise Refused(Problem("malformed", detail, told)) from None


def _caller(request: func.HttpRequest) -> str:
    return (request.headers.get(_CALLER_HEADER) or _UNKNOWN_CALLER)[:200]
