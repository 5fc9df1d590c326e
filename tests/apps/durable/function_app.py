"""Orchestrators, activities and entities of every shape, some under other durable names."""

import json
import logging

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


class Point:
    """A custom object, which travels by its module's name."""

    def __init__(self, x):
        self.x = x

    @staticmethod
    def to_json(point):
        return {"x": point.x}

    @staticmethod
    def from_json(value):
        return Point(value["x"])


@app.orchestration_trigger(context_name="context", orchestration="Chain2")
def chain(context: df.DurableOrchestrationContext):
    if not context.is_replaying:
        logging.info("first run of %s", context.instance_id)
    first = yield context.call_activity("Renamed", context.get_input())
    context.set_custom_status({"first": first, "parent": context.parent_instance_id})
    second = yield context.call_entity(df.EntityId("Counter2", "k"), "add", 2)
    return [first, second, context.version]


@app.orchestration_trigger(context_name="context")
def fails(context):
    yield context.call_activity("Renamed", 1)
    raise KeyError("bad\nthing")


@app.orchestration_trigger(context_name="context")
def plain(context):
    return {"input": context.get_input()}


@app.orchestration_trigger(context_name="context")
def plain_fails(context):
    raise ValueError("ng")


@app.generic_trigger(arg_name="raw", type="orchestrationTrigger")
def undecorated(raw):
    """An orchestrator without the durable library: it gets the payload and returns the reply."""
    payload = json.loads(raw.body)
    output = [payload["input"], len(payload["history"])]
    return json.dumps({"isDone": True, "schemaVersion": 2, "actions": [[]], "output": output})


@app.activity_trigger(input_name="value", activity="Renamed")
def act(value):
    return value


@app.activity_trigger(input_name="point")
async def move(point: Point) -> Point:
    return Point(point.x + 1)


@app.activity_trigger(input_name="value")
def unserializable(value):
    return {1, 2}


@app.activity_trigger(input_name="value")
@app.queue_output(arg_name="out", queue_name="q", connection="S")
@app.blob_input(arg_name="blob", path="a/b", connection="S")
async def with_bindings(value: str, out: func.Out[str], blob: str, context: func.Context) -> str:
    out.set(f"{value} {blob}")
    return context.invocation_id


@app.entity_trigger(context_name="context", entity_name="Counter2")
def counter(context):
    total = context.get_state(lambda: 0)
    if context.operation_name == "fail":
        raise ValueError("boom!")
    if context.operation_name == "add":
        total += context.get_input()
        context.set_state(total)
    context.set_result(total)


@app.route("start/{name}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    hub = client._orchestration_bindings.task_hub_name
    return func.HttpResponse(f"{type(client).__name__} {hub}")


@app.route("sync-start")
@app.durable_client_input(client_name="client")
def sync_start(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    return "never"
