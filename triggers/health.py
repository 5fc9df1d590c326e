"""`Health`: whether what the app depends on answers.

The queue and the event topic are reached through bindings only; whether they answer is not known
here without sending something, and is not claimed.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import azure.functions as func

from activities.orders import probe
from domain.errors import StepError
from triggers._http import json_response
from triggers._hub import DurableClient, Hub

_TIMEOUT_S = 5.0


async def health(
    request: func.HttpRequest,  # noqa: ARG001 - the trigger's binding
    client: DurableClient,
) -> func.HttpResponse:
    """200 with each dependency's state; `status` is `degraded` when one does not answer."""
    store, hub = await asyncio.gather(_state(probe()), _state(Hub(client).run("health-probe")))
    dependencies = {
        "orderStore": store,
        "taskHub": hub,
        "queue": _unchecked("see the queue's metrics"),
        "events": _unchecked("see the topic's metrics"),
    }
    is_ok = store["state"] == hub["state"] == "ok"
    body = {"status": "ok" if is_ok else "degraded", "dependencies": dependencies}
    return json_response(body, 200, {"Cache-Control": "no-store"})


def _unchecked(advice: str) -> dict[str, str]:
    return {"state": "not checked", "detail": f"Reached by a binding; {advice}."}


async def _state(call: Awaitable[Any]) -> dict[str, str]:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await call
    except TimeoutError:
        return {"state": "down", "code": "TIMEOUT", "detail": f"No answer in {_TIMEOUT_S:g} s."}
    except StepError as error:
        return {"state": "down", "code": error.code, "detail": error.message}
    return {"state": "ok"}
