"""`FetchOrders` and `GetOrder`: what has become of orders, out of the container `processed`."""

from urllib.parse import urlencode

import azure.functions as func

from activities.orders import find_order, latest_orders
from domain.events import TYPES
from domain.items import shown
from domain.order import is_usable_id
from domain.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    InvalidContinuation,
    Place,
    place_after,
)
from domain.problem import Problem
from triggers._http import Refused, answered, limit_of, link, order_links, tagged_response

# An order has an item once it is processed or rejected.
_STATUSES = tuple(TYPES)


async def fetch_orders(request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """200 with the latest orders first, 304, or a problem (400, 503)."""

    async def answer() -> func.HttpResponse:
        limit = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
        statuses, after = _statuses(request), _after(request)
        # One more than asked for tells whether there is another page.
        items = await latest_orders(limit + 1, statuses, after)
        page = items[:limit]
        headers = {}
        place = place_after(page, after) if len(items) > limit else None
        if place is not None:
            headers["Link"] = f'<{_next(request, place)}>; rel="next"'
        return tagged_response(request, [shown(item) for item in page], headers)

    return await answered(request, context, answer)


async def get_order(request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """200 with the order's item, 304, or a problem (404, 503)."""

    async def answer() -> func.HttpResponse:
        order_id = request.route_params["id"]
        item = await find_order(order_id) if is_usable_id(order_id) else None
        if item is None:
            status = order_links(request, order_id)["self"]
            detail = f"No order with this id was processed or rejected; {status} tells more."
            raise Refused(Problem("not-found", detail))
        return tagged_response(request, shown(item))

    return await answered(request, context, answer)


def _statuses(request: func.HttpRequest) -> list[str]:
    told = [text.strip() for text in request.params.get("status", "").split(",")]
    statuses = [text for text in told if text]
    if any(status not in _STATUSES for status in statuses):
        detail = f"status: one of {', '.join(_STATUSES)}; other orders have no item yet."
        raise Refused(Problem("invalid-parameter", detail))
    return list(dict.fromkeys(statuses))


def _after(request: func.HttpRequest) -> Place | None:
    text = request.params.get("continuation")
    if not text:
        return None
    try:
        return Place.from_text(text)
    except InvalidContinuation as error:
        raise Refused(Problem("invalid-parameter", f"continuation: {error}")) from None


def _next(request: func.HttpRequest, place: Place) -> str:
    kept = {name: request.params[name] for name in ("limit", "status") if name in request.params}
    return link(request, "/orders?" + urlencode({**kept, "continuation": place.to_text()}))
