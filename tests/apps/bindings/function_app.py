"""Tells through an output what each kind of trigger was given."""

import json
from typing import Any, List  # noqa: UP035 - the worker takes no builtin generics

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

MESSAGE = [
    "application_properties",
    "content_type",
    "correlation_id",
    "dead_letter_source",
    "dead_letter_reason",
    "dead_letter_error_description",
    "delivery_count",
    "enqueued_sequence_number",
    "enqueued_time_utc",
    "expires_at_utc",
    "label",
    "locked_until",
    "lock_token",
    "message_id",
    "partition_key",
    "reply_to",
    "reply_to_session_id",
    "scheduled_enqueue_time_utc",
    "sequence_number",
    "session_id",
    "state",
    "subject",
    "time_to_live",
    "to",
    "transaction_partition_key",
    "user_properties",
]


def tells(function: Any) -> Any:
    """Add the output that tells."""
    return app.queue_output(arg_name="seen", queue_name="seen", connection="S")(function)


def tell(seen: func.Out[str], value: Any) -> None:
    seen.set(json.dumps(value, default=repr))


def describe(message: func.ServiceBusMessage) -> dict[str, Any]:
    told = {name: getattr(message, name) for name in MESSAGE}
    return told | {"body": message.get_body().decode(), "metadata": sorted(message.metadata or {})}


@app.route("items/{id:int?}")
@tells
def http(req: func.HttpRequest, seen: func.Out[str], context: func.Context) -> func.HttpResponse:
    tell(
        seen,
        {
            "method": req.method,
            "url": req.url,
            "headers": dict(req.headers),
            "x_many": req.headers.get("X-Many"),
            "params": dict(req.params),
            "route": dict(req.route_params),
            "body": req.get_body().decode("latin-1"),
            "context": [
                context.function_name,
                context.invocation_id,
                context.trace_context.trace_parent,
                context.trace_context.Tracestate,
                context.trace_context.attributes,
                context.retry_context.retry_count,
                context.retry_context.max_retry_count,
                context.retry_context.rpc_exception and context.retry_context.exception.message,
            ],
            "directory": context.function_directory,
        },
    )
    return func.HttpResponse("ok")


@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="SB")
@tells
def sb_single(msg: func.ServiceBusMessage, seen: func.Out[str]) -> None:
    tell(seen, describe(msg))


@app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="SB")
@tells
def sb_text(msg: str, seen: func.Out[str]) -> None:
    tell(seen, msg)


@app.service_bus_queue_trigger(arg_name="msgs", queue_name="q", connection="SB", cardinality="many")
@tells
def sb_batch(msgs: List[func.ServiceBusMessage], seen: func.Out[str]) -> None:  # noqa: UP006 - as above
    tell(seen, [describe(msg) for msg in msgs])


@app.cosmos_db_trigger(arg_name="docs", connection="C", database_name="d", container_name="c")
@tells
def cosmos(docs: func.DocumentList, seen: func.Out[str]) -> None:
    tell(seen, [doc.to_dict() for doc in docs])


@app.cosmos_db_trigger(arg_name="docs", connection="C", database_name="d", container_name="c")
@tells
def cosmos_text(docs: str, seen: func.Out[str]) -> None:
    tell(seen, docs)


@app.route("lookup")
@app.cosmos_db_input(
    arg_name="doc", connection="C", database_name="d", container_name="c", id="{id}"
)
@app.blob_input(arg_name="blob", path="a/{id}", connection="S")
@tells
def lookup(
    req: func.HttpRequest, doc: func.DocumentList, blob: func.InputStream, seen: func.Out[str]
) -> str:
    tell(seen, [doc and [found.to_dict() for found in doc], blob and blob.read().decode()])
    return "ok"


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@tells
def timer(timer: func.TimerRequest, seen: func.Out[str]) -> None:
    tell(seen, [timer.past_due, timer.schedule, timer.schedule_status])


@app.event_grid_trigger(arg_name="event")
@tells
def grid(event: func.EventGridEvent, seen: func.Out[str]) -> None:
    topic = getattr(event, "topic", "no topic")
    tell(seen, [type(event).__name__, event.id, topic, event.subject, event.get_json()])


@app.blob_trigger(arg_name="blob", path="in/{name}", connection="S")
@tells
def blob(blob: func.InputStream, seen: func.Out[str]) -> None:
    told = [blob.name, blob.length, blob.uri, blob.blob_properties, blob.metadata]
    tell(seen, [*told, blob.read().decode("latin-1")])


@app.queue_trigger(arg_name="item", queue_name="q", connection="S")
@tells
def queue(item: func.QueueMessage, seen: func.Out[str]) -> None:
    body = item.get_body().decode()
    tell(seen, [item.id, item.dequeue_count, item.pop_receipt, item.insertion_time, body])


@app.generic_trigger(arg_name="thing", type="thingTrigger")
@tells
def generic(thing, seen: func.Out[str]) -> Any:
    tell(seen, [type(thing).__name__, repr(thing)])
    return {"back": 1}
