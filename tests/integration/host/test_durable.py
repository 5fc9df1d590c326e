"""Durable functions on the host: clients, activities with bindings, doors and keys."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, running, started, until, write_app

APP = """
    import json
    import os
    from datetime import timedelta
    import azure.durable_functions as df
    import azure.functions as func

    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="start/{name}", methods=["POST"])
    @app.durable_client_input(client_name="client", task_hub="myhub", connection_name="Storage")
    async def start(req: func.HttpRequest, client) -> func.HttpResponse:
        given = json.loads(req.get_body() or b"null")
        instance = await client.start_new(req.route_params["name"], None, given)
        return client.create_check_status_response(req, instance)

    @app.route(route="elsewhere")
    @app.durable_client_input(client_name="client", task_hub="OtherHub")
    async def elsewhere(req: func.HttpRequest, client) -> func.HttpResponse:
        return func.HttpResponse("never")

    @app.orchestration_trigger(context_name="context")
    def chain(context):
        first = yield context.call_activity("announce", context.get_input())
        second = yield context.call_activity("find", {"id": "known"})
        return [first, second]

    @app.orchestration_trigger(context_name="context")
    def guarded(context):
        try:
            return (yield context.call_activity("announce", {"bad": True}))
        except Exception as error:
            return f"caught: {error}"

    @app.orchestration_trigger(context_name="context")
    def slow(context):
        return (yield context.call_activity("sleep", None))

    @app.orchestration_trigger(context_name="context")
    def dying(context):
        return (yield context.call_activity("die_once", context.get_input()))

    @app.orchestration_trigger(context_name="context")
    def stumbles(context):
        yield context.call_activity("give_back", 1)
        raise ValueError("over its own feet")

    @app.orchestration_trigger(context_name="context")
    def echo(context):
        event = yield context.wait_for_external_event("Go")
        return (yield context.call_activity("give_back", [context.get_input(), event]))

    @app.activity_trigger(input_name="payload")
    def give_back(payload):
        return payload

    @app.activity_trigger(input_name="payload", activity="Known")
    def renamed(payload):
        return payload

    @app.orchestration_trigger(context_name="context")
    def by_reference(context):
        given = yield context.call_activity(give_back, 1)
        named = yield context.call_activity("Known", 2)
        try:
            yield context.call_activity(renamed, 3)
        except Exception as error:
            return [given, named, str(error)]

    @app.orchestration_trigger(context_name="context")
    def polls(context):
        answer = yield context.call_http("POST", context.get_input(), {"id": "polled"})
        seen = [answer["statusCode"]]
        while answer["statusCode"] == 202:
            pause = context.current_utc_datetime + timedelta(milliseconds=20)
            yield context.create_timer(pause)
            answer = yield context.call_http("GET", answer["headers"]["Location"])
            seen.append(answer["statusCode"])
        return [seen[0], seen[-1], json.loads(answer["content"])["output"]]

    @app.activity_trigger(input_name="payload")
    @app.event_grid_output(arg_name="event", connection="EG")
    def announce(payload: dict, event: func.Out[str]):
        event.set(json.dumps({"specversion": "1.0", "source": "/t", "type": "T",
            **({} if payload.get("bad") else {"id": payload["id"]})}))
        return "announced"

    @app.activity_trigger(input_name="payload")
    @app.cosmos_db_input(arg_name="docs", connection="COSMOS", database_name="db",
        container_name="items", id="{id}", partition_key="{id}")
    def find(payload: dict, docs: func.DocumentList):
        return docs[0]["n"] if docs else "nothing"

    @app.activity_trigger(input_name="payload")
    async def sleep(payload):
        import asyncio
        await asyncio.sleep(60)

    @app.activity_trigger(input_name="marker")
    def die_once(marker: str):
        if not os.path.exists(marker):
            open(marker, "w").close()
            os._exit(3)
        return "alive"

    @app.activity_trigger(input_name="payload")
    @app.service_bus_queue_output(arg_name="out", connection="NOT_THERE", queue_name="q")
    def inerror(payload, out: func.Out[str]):
        return None
"""
ENTITIES = {
    "cosmos": {"database": "db", "containers": [{"name": "items", "partitionKey": "/id"}]},
    "eventGrid": {"topics": ["things"]},
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Doors]]:
    folder: Path = tmp_path_factory.mktemp("durable")
    host = {"functionTimeout": "00:00:01", "extensions": {"durableTask": {"hubName": "MyHub"}}}
    app = write_app(folder / "app", APP, host=host, entities=ENTITIES)
    with started(app, folder / "data") as running_one:
        yield running_one


async def outcome(emulator: Emulator, name: str, given: Any = None) -> dict[str, Any]:
    answer = await emulator.post(f"/api/start/{name}", data=json.dumps(given))
    assert answer.status == 202
    url = answer.json()["statusQueryGetUri"]
    assert url.startswith(emulator.doors.host + "/runtime/webhooks/durabletask/instances/")
    assert "taskHub=MyHub" in url

    async def final() -> dict[str, Any] | None:
        status = await emulator.get(url.removeprefix(emulator.doors.host))
        return status.json() if status.status == 200 else None

    return await until(final, f"{name} is final")


async def test_bindings_of_activities_are_read_and_sent(emulator: Emulator) -> None:
    status = await outcome(emulator, "chain", {"id": "e1"})
    assert (status["runtimeStatus"], status["output"]) == (
        "Completed",
        ["announced", "nothing"],
    )
    assert "e1" in [event["id"] for event in await emulator.events()]


async def test_output_that_fails_fails_the_activity(emulator: Emulator) -> None:
    status = await outcome(emulator, "guarded")
    assert status["runtimeStatus"] == "Completed"
    assert "The Event Grid output failed" in status["output"]


async def test_activity_beyond_function_timeout_fails(emulator: Emulator) -> None:
    status = await outcome(emulator, "slow")
    assert status["runtimeStatus"] == "Failed"
    assert "Timeout value of 00:00:01 was exceeded by function: Functions.sleep" in json.dumps(
        status["output"]
    )


async def test_activity_whose_worker_dies_is_run_again(emulator: Emulator, tmp_path: Path) -> None:
    status = await outcome(emulator, "dying", str(tmp_path / "marker"))
    assert (status["runtimeStatus"], status["output"]) == ("Completed", "alive")


async def test_activity_given_by_reference_goes_by_its_functions_name(emulator: Emulator) -> None:
    status = await outcome(emulator, "by_reference")
    given, named, error = status["output"]
    assert (given, named) == (1, 2)
    # The library sends the Python function's name, whatever the trigger calls it.
    assert "The function 'renamed' doesn't exist, is disabled" in error
    assert "'Known'" in error


async def test_http_call_that_is_accepted_is_polled_by_the_app(emulator: Emulator) -> None:
    """The library asks for no polling, so the 202 and its Location come to the orchestrator."""
    start = f"{emulator.doors.host}/api/start/chain"
    status = await outcome(emulator, "polls", start)
    assert status["output"] == [202, 200, ["announced", "nothing"]]


async def test_input_event_and_result_of_megabytes_go_through(emulator: Emulator) -> None:
    text, hooks = "x" * 5_000_000, "/runtime/webhooks/durabletask"
    await emulator.post(f"{hooks}/orchestrators/echo/large", json={"text": text})
    await emulator.post(f"{hooks}/instances/large/raiseEvent/Go", json={"event": text})

    async def final() -> dict[str, Any] | None:
        status = await emulator.get(f"{hooks}/instances/large")
        return status.json() if status.status == 200 else None

    status = await until(final, "the large instance is final")
    assert status["output"] == [{"text": text}, {"event": text}]


async def test_invocations_of_durable_functions_are_logged(emulator: Emulator) -> None:
    await outcome(emulator, "chain", {"id": "e2"})
    await emulator.logged("Executing 'Functions.chain' (Reason='(null)', Id=")
    await emulator.logged("Executed 'Functions.announce' (Succeeded, Id=")
    await outcome(emulator, "stumbles")
    await emulator.logged("Executed 'Functions.stumbles' (Failed, Id=")
    await emulator.logged("Orchestrator function 'stumbles' failed: over its own feet")
    await emulator.logged('raise ValueError("over its own feet")')


async def test_unknown_orchestrator_is_an_error_of_its_caller(emulator: Emulator) -> None:
    assert (await emulator.post("/api/start/nope")).status == 500


async def test_activity_in_error_is_left_out(emulator: Emulator) -> None:
    await emulator.logged("The 'inerror' function is in error: Service Bus connection")


async def test_client_of_another_task_hub_is_left_out(emulator: Emulator) -> None:
    await emulator.logged(
        "The 'elsewhere' function is in error: Its durable client is for task hub 'OtherHub' on "
        "connection 'Storage'. The emulator has the task hub 'MyHub' of host.json alone."
    )
    assert (await emulator.get("/api/elsewhere")).status == 404


async def test_app_without_durable_functions_has_no_hub(tmp_path: Path) -> None:
    source = """
    import azure.functions as func
    app = func.FunctionApp()
    """
    app = write_app(tmp_path / "app", source)
    async with running(app, tmp_path / "data") as host:
        assert (await host.get("/runtime/webhooks/durabletask/instances")).status == 404


async def test_public_door_asks_for_its_key_with_enable_auth(tmp_path: Path) -> None:
    host_json = {"extensions": {"durableTask": {"hubName": "MyHub"}}}
    app = write_app(tmp_path / "app", APP, host=host_json, entities=ENTITIES)
    async with running(app, tmp_path / "data", arguments=["--enableAuth"]) as host:
        path = "/runtime/webhooks/durabletask/instances"
        assert (await host.get(path)).status == 401
        secrets = json.loads((tmp_path / "data" / "secrets" / "host.json").read_text())
        keys = {key["name"]: key["value"] for key in secrets["systemKeys"]}
        assert (await host.get(f"{path}?code={keys['eventgrid_extension']}")).status == 401
        assert (await host.get(f"{path}?code={keys['durabletask_extension']}")).status == 200
        # What a client hands out carries the key, and works.
        status = await outcome(host, "chain", {"id": "e3"})
        assert status["runtimeStatus"] == "Completed"


WAITING = """
    import azure.durable_functions as df

    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def order(context):
        yield context.call_activity("reserve", 1)
        yield context.wait_for_external_event("Go")

    @app.activity_trigger(input_name="payload")
    def reserve(payload):
        return payload

    @app.activity_trigger(input_name="payload")
    def charge(payload):
        return payload
"""


async def test_app_that_was_changed_fails_what_no_longer_fits_it(tmp_path: Path) -> None:
    hooks = "/runtime/webhooks/durabletask"
    app = write_app(tmp_path / "app", WAITING)
    async with running(app, tmp_path / "data") as host:
        await host.post(f"{hooks}/orchestrators/order/one")
        await host.logged("Executed 'Functions.reserve' (Succeeded")
    write_app(tmp_path / "app", WAITING.replace('activity("reserve"', 'activity("charge"'))
    async with running(app, tmp_path / "data") as host:
        await host.post(f"{hooks}/instances/one/raiseEvent/Go", json=1)

        async def final() -> dict[str, Any] | None:
            status = await host.get(f"{hooks}/instances/one")
            return status.json() if status.status == 200 else None

        status = await until(final, "the instance is final")
    assert status["runtimeStatus"] == "Failed"
    assert status["output"].startswith(
        "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled "
        "an activity task with sequence number 0 named 'reserve', but the current replay execution "
        "has scheduled an activity task named 'charge' in its place."
    )
