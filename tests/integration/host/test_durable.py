"""Durable functions on the host: clients, activities with bindings, doors and keys."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, connected, running, started, until, write_app

APP = """
    import json
    import os
    import azure.durable_functions as df
    import azure.functions as func

    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="start/{name}", methods=["POST"])
    @app.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client) -> func.HttpResponse:
        given = json.loads(req.get_body() or b"null")
        instance = await client.start_new(req.route_params["name"], None, given)
        return client.create_check_status_response(req, instance)

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


@pytest.fixture
async def emulator(process: tuple[EmulatorProcess, Doors]) -> AsyncIterator[Emulator]:
    async with connected(*process) as client:
        yield client


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


async def test_invocations_of_durable_functions_are_logged(emulator: Emulator) -> None:
    await outcome(emulator, "chain", {"id": "e2"})
    await emulator.logged("Executing 'Functions.chain' (Reason='(null)', Id=")
    await emulator.logged("Executed 'Functions.announce' (Succeeded, Id=")


async def test_unknown_orchestrator_is_an_error_of_its_caller(emulator: Emulator) -> None:
    assert (await emulator.post("/api/start/nope")).status == 500


async def test_activity_in_error_is_left_out(emulator: Emulator) -> None:
    await emulator.logged("The 'inerror' function is in error: Service Bus connection")


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
