"""`Console` and `ConsoleData`: the operators' page, and what of it the API has no route for.

The page is one file without anything from elsewhere; the policy that goes with it lets no other
script or style run and no other page frame it. Everything else that it shows or does goes through
the API's own routes. Left out on purpose: who may see it, which is for the platform.
"""

import asyncio
import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import azure.functions as func

from activities.orders import count_orders, orders_of_customer
from domain import keys
from domain.events import TYPES
from domain.items import shown
from domain.order import MAX_TEXT, is_usable_id
from domain.payloads import PROCESS_BATCH, PROCESS_CHUNK, PROCESS_ORDER, REPLAY_FAILED
from domain.problem import Problem
from domain.replay import bulk_status, order_id_of
from domain.status import STATES, InstanceView, batch_status, order_status
from domain.timeline import timeline
from triggers._http import Refused, answered, tagged_response
from triggers._hub import DurableClient, Hub, Latest

_PAGE = Path(__file__).with_name("console.html")
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
# Rows of a listing; counts beyond it are told as "at least".
MAX_RUNS = 500
_MAX_BATCHES = 20
_BATCHES = keys.batch_instance_id("")
_MAX_FOUND = 100
_NOT_ENDED_WELL = ("Running", "Pending", "Suspended", "ContinuedAsNew", "Failed", "Terminated")
_SHOWN = ("orderId", "state", "stage", "attempt", "submittedAt", "updatedAt", "error", "waitingFor")


async def console(request: func.HttpRequest) -> func.HttpResponse:
    """200 with the page, or 304."""
    page, headers = _page()
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return func.HttpResponse(status_code=304, headers=headers)
    return func.HttpResponse(page, headers=headers, mimetype="text/html", charset="utf-8")


async def console_data(
    request: func.HttpRequest, client: DurableClient, context: func.Context
) -> func.HttpResponse:
    """200 with counts, runs and batches; with one run (`order=`); with a customer's orders
    (`customer=`); 304, or a problem (400, 404, 503)."""

    async def answer() -> func.HttpResponse:
        order_id, customer = request.params.get("order"), request.params.get("customer", "")
        if len(customer) > MAX_TEXT:
            detail = f"customer: at most {MAX_TEXT} characters."
            raise Refused(Problem("invalid-parameter", detail))
        if order_id:
            return tagged_response(request, await _run(Hub(client), order_id))
        if customer:
            return tagged_response(request, await _of_customer(customer))
        return tagged_response(request, await _overview(Hub(client)))

    return await answered(request, context, answer)


@cache
def _page() -> tuple[bytes, dict[str, str]]:
    text = _PAGE.read_text(encoding="utf-8")
    allowed = {kind: f"'sha256-{_sha256(body)}'" for kind, body in _INLINE.findall(text)}
    policy = [
        "default-src 'none'",
        f"script-src {allowed['script']}",
        f"style-src {allowed['style']}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{_sha256(text)}"',
    }
    return text.encode("utf-8"), headers


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


async def _overview(hub: Hub) -> dict[str, Any]:
    (runs, batches), done = await asyncio.gather(
        asyncio.gather(
            hub.latest([PROCESS_ORDER, PROCESS_CHUNK], MAX_RUNS, _NOT_ENDED_WELL),
            hub.latest([PROCESS_BATCH, REPLAY_FAILED], _MAX_BATCHES, prefix=_BATCHES),
        ),
        asyncio.gather(*(count_orders(status) for status in TYPES)),
    )
    orders = [_told(run) for run in runs.runs if run.name == PROCESS_ORDER]
    counts = dict.fromkeys(STATES, 0) | dict(zip(TYPES, done, strict=True))
    for order in orders:
        counts[order["state"]] += 1
    for run in runs.runs:
        # Its item is there, and it is not done yet: it counts once.
        stored_as = _stored_as(run) if run.name == PROCESS_ORDER else None
        if stored_as is not None:
            counts[stored_as] = max(0, counts[stored_as] - 1)
    orders.sort(key=lambda order: order["updatedAt"] or "", reverse=True)
    return {
        "counts": counts,
        "atLeast": [] if runs.is_whole else [state for state in STATES if state not in TYPES],
        "orders": orders,
        "batches": _batches(runs, batches),
    }


def _told(run: InstanceView) -> dict[str, Any]:
    status = order_status(order_id_of(run), run)
    order = run.input.get("order")
    return {
        **{name: status[name] for name in _SHOWN},
        "customerId": order.get("customerId") if isinstance(order, dict) else None,
        "instanceId": run.instance_id,
        "batchId": (run.input.get("source") or {}).get("batchId"),
    }


def _stored_as(run: InstanceView) -> str | None:
    """The status of the item that the run has written before it failed, or goes on; or None."""
    states = {step["name"]: step["state"] for step in run.custom_status.get("steps") or ()}
    if states.get("persist") not in {"completed", "carried"}:
        return None
    return "rejected" if states.get("enrich") == "skipped" else "processed"


def _batches(runs: Latest, batches: Latest) -> list[dict[str, Any]]:
    chunks = {run.instance_id: run for run in runs.runs if run.name == PROCESS_CHUNK}
    found = []
    for run in batches.runs[:_MAX_BATCHES]:
        batch_id = keys.batch_id_of(run.instance_id)
        if run.name == REPLAY_FAILED:
            status = bulk_status(batch_id, run)
            told = {"kind": "replay", "done": status["queued"]}
        else:
            own = [chunks[c] for c in run.custom_status.get("chunks") or () if c in chunks]
            status = batch_status(batch_id, run, own)
            told = {"kind": "batch", "done": status["total"] - status["running"]}
        found.append({**status, **told, "summary": None})
    return found


async def _run(hub: Hub, order_id: str) -> dict[str, Any]:
    run = await hub.order_run(order_id) if is_usable_id(order_id) else None
    if run is None:
        raise Refused(Problem("not-found", "The task hub knows no run of this order."))
    status = order_status(order_id, run)
    return {
        "orderId": order_id,
        "instanceId": run.instance_id,
        "timeline": timeline(status, await hub.history(run.instance_id)),
        "order": run.input.get("order"),
        "source": run.input.get("source"),
        "replay": run.input.get("replay"),
        "carried": sorted(run.input.get("carried") or ()),
    }


async def _of_customer(customer: str) -> dict[str, Any]:
    return {"orders": [shown(item) for item in await orders_of_customer(customer, _MAX_FOUND)]}
