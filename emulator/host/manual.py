"""Makes an invocation from the text that `POST /admin/functions/{name}` is given.

Each trigger reads the text as its own payload. Nothing is settled and nothing is retried. Pure but
for the time it is handed.

Source: the host's manual trigger. Durable functions are started through their own API instead.
"""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from emulator import jsontext
from emulator.host.functions import Function
from emulator.host.invocations import PROGRAMMATICALLY, Request
from emulator.host.metadata import (
    binding_data,
    cosmos_documents,
    event_grid,
    queue_message,
    service_bus_batch,
    service_bus_message,
    timer,
)
from emulator.servicebus.messages import ReceivedMessage
from emulator.storagequeue import Message as QueueMessage
from emulator.worker.protocol import Datum


def manual_request(function: Function, text: str, now: datetime) -> Request:
    """The invocation that an `input` text asks for.

    Raises:
        ValueError: the text is not what the function's trigger takes.
    """
    kind = function.trigger.type
    metadata: dict[str, Datum] = {}
    if kind == "httpTrigger":
        trigger = _http(text)
    elif kind == "serviceBusTrigger":
        trigger, metadata = _service_bus(function, text, now)
    elif kind == "queueTrigger":
        trigger, metadata = _storage_queue(function, text, now)
    elif kind == "cosmosDBTrigger":
        trigger = cosmos_documents(_list(text))
    elif kind == "eventGridTrigger":
        event = jsontext.read(text)
        if not isinstance(event, dict):
            raise ValueError("An event is a JSON object.")
        trigger, metadata = event_grid(event)
    elif kind == "timerTrigger":
        trigger = timer(is_past_due=False, status=None, adjust=True)
    else:
        raise ValueError(f"A function with a {kind} cannot be called this way.")
    return Request(
        function=function,
        trigger=trigger,
        metadata=metadata,
        reason=PROGRAMMATICALLY,
        data=lambda: binding_data(metadata),
    )


def _list(text: str) -> list[dict[str, Any]]:
    value = jsontext.read(text)
    if not isinstance(value, list):
        raise ValueError("The input of a Cosmos DB trigger is a JSON array of documents.")
    return value


def _http(text: str) -> Datum:
    """The portal sends a model of the request; any other text is the body."""
    model: Any = None
    try:
        model = jsontext.read(text)
    except ValueError:
        model = None
    if not isinstance(model, dict) or "method" not in model:
        model = {"method": "POST", "body": text}
    pairs = model.get("queryStringParams") or []
    headers = model.get("headers") or []
    body = model.get("body")
    return Datum(
        "http",
        {
            "method": str(model["method"]).upper(),
            "url": "http://localhost/",
            "headers": {str(pair["name"]).lower(): str(pair["value"]) for pair in headers},
            "params": {},
            "query": {str(pair["name"]): str(pair["value"]) for pair in pairs},
            "body": (body if isinstance(body, str) else json.dumps(body or "")).encode(),
        },
    )


def _service_bus(function: Function, text: str, now: datetime) -> tuple[Datum, dict[str, Datum]]:
    trigger = function.trigger
    message = ReceivedMessage(
        queue=trigger.text("queueName") or "",
        sequence_number=0,
        message_id=uuid.uuid4().hex,
        body=text.encode(),
        delivery_count=1,
        enqueued_time=now,
        expires_at=None,
        lock_token=str(uuid.uuid4()),
        locked_until=now + timedelta(minutes=1),
    )
    if (trigger.text("cardinality") or "one").lower() == "many":
        return service_bus_batch([message], trigger.data_type)
    return service_bus_message(message, trigger.name, trigger.data_type)


def _storage_queue(function: Function, text: str, now: datetime) -> tuple[Datum, dict[str, Datum]]:
    trigger = function.trigger
    message = QueueMessage(
        queue=trigger.text("queueName") or "",
        id=str(uuid.uuid4()),
        body=text.encode(),
        dequeue_count=1,
        pop_receipt=str(uuid.uuid4()),
        inserted=now,
        expires=now + timedelta(days=7),
        next_visible=now + timedelta(minutes=10),
    )
    return queue_message(message, trigger.name, trigger.data_type)
