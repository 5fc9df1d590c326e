"""`GetOrderStatus` and `GetBatchStatus`: where an order or a batch stands, for polling.

An order that failed is a fact like any other: 200, never a server error.
"""

import azure.functions as func

from domain.order import is_usable_id
from triggers._http import answered, batch_links, order_links
from triggers._hub import DurableClient, Hub
from triggers._watching import batch_now, order_now, status_response, unknown, watched


async def get_order_status(
    request: func.HttpRequest, client: DurableClient, context: func.Context
) -> func.HttpResponse:
    """202 while the order is under way, 200 when its state is final, or a problem (404, 503)."""

    async def answer() -> func.HttpResponse:
        order_id = request.route_params["id"]
        if not is_usable_id(order_id):
            raise unknown("order")
        hub = Hub(client)
        told = await watched(request, lambda: order_now(hub, order_id))
        return status_response(request, told, order_links(request, order_id))

    return await answered(request, context, answer)


async def get_batch_status(
    request: func.HttpRequest, client: DurableClient, context: func.Context
) -> func.HttpResponse:
    """202 while the batch is under way, 200 when it has ended, or a problem (404, 503)."""

    async def answer() -> func.HttpResponse:
        batch_id = request.route_params["id"]
        hub = Hub(client)
        told = await watched(request, lambda: batch_now(hub, batch_id))
        return status_response(request, told, batch_links(request, batch_id))

    return await answered(request, context, answer)
