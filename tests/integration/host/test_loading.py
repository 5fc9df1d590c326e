"""Apps of every legal shape through the whole host; what is wrong is said, and the rest runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, running, started, write_app

MAIN = """
    from __future__ import annotations
    import azure.durable_functions as df
    import azure.functions as func
    from parts import plain, durable

    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    app.register_functions(plain)
    app.register_functions(durable)

    @app.route(route="annotated")
    def annotated(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return func.HttpResponse(context.function_name)

    def called(req, context):
        return f"{type(context).__name__} {context.function_directory}"

    app.function_name("decorated_by_hand")(app.route(route="by-hand")(called))

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="%QNAME%", connection="SB")
    def resolved(msg: func.ServiceBusMessage) -> None:
        print("resolved got", msg.get_body().decode())

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="%NOT_SET%", connection="SB")
    def unresolved(msg: func.ServiceBusMessage) -> None: ...

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="two words", connection="SB")
    def misnamed(msg: func.ServiceBusMessage) -> None: ...

    @app.event_hub_message_trigger(arg_name="event", event_hub_name="hub", connection="EH")
    def hub(event: func.EventHubEvent) -> None: ...

    @app.route(route="left-out")
    def left_out(req: func.HttpRequest) -> str: ...
"""
PARTS = """
import azure.durable_functions as df
import azure.functions as func

plain = func.Blueprint()
durable = df.Blueprint()

@plain.route(route="plain")
def from_blueprint(req: func.HttpRequest) -> str:
    return "plain"

@durable.orchestration_trigger(context_name="context")
def orchestrator(context):
    return (yield context.call_activity("double", context.get_input()))

@durable.activity_trigger(input_name="number")
def double(number: int) -> int:
    return 2 * number

@durable.route(route="run/{number:int}")
@durable.durable_client_input(client_name="client")
async def run(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance = await client.start_new("orchestrator", None, int(req.route_params["number"]))
    return await client.wait_for_completion_or_create_check_status_response(req, instance)
"""
NAMED = (
    *("annotated", "decorated_by_hand", "resolved", "unresolved", "misnamed", "hub"),
    *("from_blueprint", "orchestrator", "double", "RUN", "nowhere"),
)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Doors]]:
    folder: Path = tmp_path_factory.mktemp("loading")
    values = {"PYTHON_SCRIPT_FILE_NAME": "main_app.py", "QNAME": "orders"}
    app = write_app(folder / "app", MAIN, values=values, host={"functions": NAMED})
    (app / "function_app.py").rename(app / "main_app.py")
    (app / "parts.py").write_text(PARTS)
    with started(app, folder / "data") as running_one:
        yield running_one


async def test_script_of_another_name_with_annotations_as_text(emulator: Emulator) -> None:
    assert (await emulator.get("/api/annotated")).text == "annotated"


async def test_decorators_called_as_functions_and_a_context_without_a_type(
    emulator: Emulator,
) -> None:
    [context, folder] = (await emulator.get("/api/by-hand")).text.split()
    assert context == "Context"
    assert Path(folder).name == "app"


async def test_blueprints_plain_and_durable(emulator: Emulator) -> None:
    assert (await emulator.get("/api/plain")).text == "plain"
    assert (await emulator.get("/api/run/21")).json() == 42


async def test_allow_list_of_host_json_ignores_case_and_tells_of_unknown_names(
    emulator: Emulator,
) -> None:
    listed = [each["name"] for each in (await emulator.get("/admin/functions")).json()]
    assert sorted(listed, key=str.lower) == listed
    assert "run" in listed
    assert "left_out" not in listed
    assert (await emulator.get("/api/left-out")).status == 404
    assert "names 'nowhere', and the app has no such function" in emulator.log


async def test_setting_is_put_into_a_binding(emulator: Emulator) -> None:
    await emulator.send("orders", "hello")
    await emulator.logged("resolved got hello")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("unresolved", "'%NOT_SET%' does not resolve to a value."),
        ("misnamed", "'two words' cannot be the name of a queue"),
        ("hub", "The binding type(s) 'eventHubTrigger' are not registered."),
    ],
)
async def test_function_in_error_says_why_and_is_told_by_admin(
    emulator: Emulator, function: str, reason: str
) -> None:
    assert f"The '{function}' function is in error: {reason}" in emulator.log
    [told] = (await emulator.get(f"/admin/functions/{function}/status")).json()["errors"]
    assert told.startswith(reason)


async def test_app_without_functions_runs_and_says_so(tmp_path: Path) -> None:
    source = "import azure.functions as func\napp = func.FunctionApp()"
    app = write_app(tmp_path / "app", source)
    async with running(app, tmp_path / "data") as emulator:
        assert (await emulator.get("/admin/host/status")).json()["state"] == "Running"
        assert (await emulator.get("/admin/functions")).json() == []
        await emulator.logged("No job functions found.")
        assert "Functions:" not in emulator.log


async def test_environment_of_the_app(tmp_path: Path) -> None:
    source = """
    import json, os
    import azure.functions as func

    AT_IMPORT = dict(os.environ)
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="environment")
    def environment(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(json.dumps(AT_IMPORT), mimetype="application/json")
    """
    values = {"FLAG": True, "NUMBER": 5, "EMPTY": "", "GONE": None, "TAKEN": "file", "LEFT": "file"}
    app = write_app(tmp_path / "app", source, values=values)
    given = {
        "TAKEN": "process",
        "LEFT": "",
        "AZURE_FUNCTIONS_ENVIRONMENT": "Production",
        "AzureFunctionsJobHost__extensions__http__routePrefix": "v1",
    }
    async with running(app, tmp_path / "data", environment=given) as emulator:
        seen = (await emulator.get("/v1/environment")).json()
        log = emulator.log
    assert (seen["FLAG"], seen["NUMBER"], seen["EMPTY"]) == ("True", "5", "")
    assert "GONE" not in seen
    assert (seen["TAKEN"], seen["LEFT"]) == ("process", "file")
    assert "Skipping 'TAKEN' from local settings as it's already defined" in log
    port = emulator.doors.host.rpartition(":")[2]
    assert {name: seen[name] for name in SET_BY_THE_HOST} == {
        **SET_BY_THE_HOST,
        "AzureWebJobsScriptRoot": str(app),
        "WEBSITE_HOSTNAME": f"localhost:{port}",
    }


SET_BY_THE_HOST = {
    "FUNCTIONS_WORKER_RUNTIME": "python",
    "FUNCTIONS_CORETOOLS_ENVIRONMENT": "True",
    "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
    "AzureWebJobsScriptRoot": "",
    "WEBSITE_HOSTNAME": "",
}
