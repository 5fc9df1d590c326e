"""`/runtime/webhooks/eventgrid`: where Event Grid delivers to trigger functions.

Every event is an invocation of its own, all at once; one that fails makes the answer 500, and the
service delivers the whole payload again.

Source: the Event Grid extension's webhook.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from emulator import jsontext
from emulator.clock import Clock
from emulator.eventgrid import Sink, Subscription
from emulator.host.functions import Function
from emulator.host.http_front import given_key
from emulator.host.invocations import Invocations, Outcome, Request
from emulator.host.keys import Keys, Level
from emulator.host.log import Log
from emulator.host.metadata import binding_data, event_grid


class NotTaken(Exception):
    """An event was not handled; it is delivered again."""


FindFunction = Callable[[str], Function | None]


class EventGridWebhook:
    """The webhook of one host."""

    def __init__(self, find: FindFunction, invocations: Invocations, clock: Clock) -> None:
        self._find = find
        self._invocations = invocations
        self._clock = clock

    def may_enter(self, request: web.Request, keys: Keys) -> bool:
        """Whether the request has the extension's key, or the master key."""
        return keys.level(given_key(request), extension="eventgrid") >= Level.SYSTEM

    async def handle(  # noqa: PLR0911 - one return for each row of the extension's table
        self, request: web.Request
    ) -> web.Response:
        """Answer one delivery or handshake."""
        name = _parameter(request, "functionName")
        function = self.find(name)
        if function is None:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _cloud_handshake(request)
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        if kind not in ("subscriptionvalidation", "notification"):
            return web.Response(status=400)
        try:
            events = _events(await request.read())
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        if kind == "subscriptionvalidation":
            return _validation(events)
        return await self._notify(function, events)

    def find(self, name: str) -> Function | None:
        """A running function with an Event Grid trigger, by its name in any case."""
        function = self._find(name)
        is_fit = function is not None and function.trigger.type == "eventGridTrigger"
        return function if is_fit else None

    async def _notify(self, function: Function, events: list[dict[str, Any]]) -> web.Response:
        outcomes = await asyncio.gather(*(self.run(function, event) for event in events))
        failed = next((outcome for outcome in outcomes if not outcome.ok), None)
        if failed is not None:
            return web.Response(
                status=500, text=f"Exception while executing function: {function.title}"
            )
        return web.Response(status=202)

    async def run(self, function: Function, event: Mapping[str, Any]) -> Outcome:
        """Run the function for one event."""
        datum, metadata = event_grid(event)
        fired = self._clock.now().isoformat()
        return await self._invocations.run(
            Request(
                function=function,
                trigger=datum,
                metadata=metadata,
                reason=f"EventGrid trigger fired at {fired}",
                data=lambda: binding_data(metadata),
            )
        )


def _parameter(request: web.Request, name: str) -> str:
    return next((v for k, v in request.query.items() if k.lower() == name.lower()), "")


def _events(body: bytes) -> list[dict[str, Any]]:
    payload = jsontext.read(body)
    events = payload if isinstance(payload, list) else [payload]
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("An event is a JSON object.")
    return events


def _cloud_handshake(request: web.Request) -> web.Response:
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None:
        return web.Response(status=400)
    rate = request.headers.get("WebHook-Request-Rate", "*")
    return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate})


def _validation(events: list[dict[str, Any]]) -> web.Response:
    data = events[0].get("data") if events else None
    if not isinstance(data, dict) or "validationCode" not in data:
        return web.Response(status=400)
    return web.json_response({"validationResponse": data["validationCode"]})


class EventGridListener:
    """Delivers what is published here to the functions that the entities file subscribes."""

    def __init__(self, webhook: EventGridWebhook, sink: Sink, log: Log) -> None:
        self._webhook = webhook
        self._sink = sink
        self._log = log

    async def start(self) -> None:
        """Begin to deliver."""
        for subscription in self._sink.subscriptions.values():
            if self._webhook.find(subscription.function) is None:
                self._log.warning(
                    f"The subscription '{subscription.name}' names '{subscription.function}', and "
                    "no function with an Event Grid trigger of that name runs."
                )
        self._sink.deliveries.start(self._deliver)

    async def stop(self) -> None:
        """Deliver no more, and wait for what is under way."""
        await self._sink.deliveries.stop()

    async def _deliver(self, subscription: Subscription, event: Mapping[str, Any]) -> None:
        function = self._webhook.find(subscription.function)
        if function is None:
            raise NotTaken(f"cannot find function: '{subscription.function}'")
        outcome = await self._webhook.run(function, event)
        if not outcome.ok:
            raise NotTaken(outcome.error or "")
