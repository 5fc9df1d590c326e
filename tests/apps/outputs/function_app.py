"""Sets or returns whatever it is told to; one function for each output binding and annotation."""

import datetime
import json
from typing import Any, List  # noqa: UP035 - the worker takes no builtin generics

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

EVENT = func.EventGridOutputEvent(
    id="e1",
    data={"a": 1},
    subject="s",
    event_type="T",
    event_time=datetime.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - naive on purpose
    data_version="1",
)
VALUES: dict[str, Any] = {
    "nothing": None,
    "text": "text",
    "bytes": b"\x00\xff",
    "list": ["a", {"b": 1}],
    "dict": {"a": [1]},
    "int": 7,
    "bool": True,
    "float": 1.5,
    "object": object(),
    "tuple": (1, 2),
    "document": func.Document.from_dict({"id": "1"}),
    "documents": func.DocumentList([func.Document.from_dict({"id": "1"})]),
    "event": EVENT,
    "events": [EVENT, EVENT],
    "response": func.HttpResponse(b"\x00\xff", status_code=201, mimetype="image/png"),
    "cookies": func.HttpResponse(
        "two", headers={"Set-Cookie": "a=1; Path=/; HttpOnly", "X-One": "1"}
    ),
    "json_response": func.HttpResponse(json.dumps({"a": 1}), mimetype="application/json"),
}
VALUES["cookies"].headers.add("Set-Cookie", "b=2; SameSite=Lax")


def told(item: str) -> Any:
    """What the trigger's text asks for; `!` takes it back, so that nothing was set."""
    return VALUES[item]


def queue(function: Any) -> Any:
    return app.queue_trigger(arg_name="item", queue_name="q", connection="S")(function)


def service_bus(function: Any) -> Any:
    return app.service_bus_queue_output(arg_name="out", queue_name="q", connection="SB")(function)


def cosmos(function: Any) -> Any:
    return app.cosmos_db_output(
        arg_name="out", database_name="d", container_name="c", connection="C"
    )(function)


def grid(function: Any) -> Any:
    return app.event_grid_output(arg_name="out", topic_endpoint_uri="U", topic_key_setting="K")(
        function
    )


def blob(function: Any) -> Any:
    return app.blob_output(arg_name="out", path="a/b", connection="S")(function)


@queue
@service_bus
def sb_text(item: str, out: func.Out[str]) -> None:
    out.set(told(item))


@queue
@service_bus
def sb_bytes(item: str, out: func.Out[bytes]) -> None:
    out.set(told(item))


@queue
@service_bus
def sb_bare(item: str, out) -> None:
    out.set(told(item))


@queue
@app.service_bus_queue_output(arg_name="$return", queue_name="q", connection="SB")
def sb_return(item: str):
    return told(item)


@queue
@cosmos
def cosmos_typed(item: str, out: func.Out[func.Document]) -> None:
    out.set(told(item))


@queue
@cosmos
def cosmos_list(item: str, out: func.Out[func.DocumentList]) -> None:
    out.set(told(item))


@queue
@cosmos
def cosmos_text(item: str, out: func.Out[str]) -> None:
    out.set(told(item))


@queue
@grid
def grid_typed(item: str, out: func.Out[func.EventGridOutputEvent]) -> None:
    out.set(told(item))


@queue
@grid
def grid_list(item: str, out: func.Out[List[func.EventGridOutputEvent]]) -> None:  # noqa: UP006 - as above
    out.set(told(item))


@queue
@grid
def grid_text(item: str, out: func.Out[str]) -> None:
    out.set(told(item))


@queue
@blob
def blob_bytes(item: str, out: func.Out[bytes]) -> None:
    out.set(told(item))


@queue
@blob
def blob_text(item: str, out: func.Out[str]) -> None:
    out.set(told(item))


@queue
def no_output(item: str):
    return told(item)


@app.route("http/{value}")
def http(req: func.HttpRequest):
    return told(req.route_params["value"])


@app.route("generator")
def http_generator(req: func.HttpRequest):
    yield "never"


@app.route("named/{value}", binding_arg_name="res")
def http_named(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
    value = req.route_params["value"]
    if value != "unset":
        res.set(told(value))


@queue
@service_bus
def set_then_raise(item: str, out: func.Out[str]) -> None:
    out.set("never sent")
    raise ValueError(item)
