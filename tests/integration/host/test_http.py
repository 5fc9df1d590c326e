"""HTTP functions through the real front end and worker: routes, bodies, responses, refusals."""

import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, started, write_app

APP = """
    import json
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    def seen(req, **more):
        return func.HttpResponse(
            json.dumps({
                "method": req.method, "url": req.url, "params": dict(req.params),
                "route": dict(req.route_params), "headers": dict(req.headers),
                "body": req.get_body().decode("latin-1"), **more,
            }),
            mimetype="application/json",
        )

    @app.route(route="items/{id:int?}", methods=["GET", "POST"])
    def items(req: func.HttpRequest) -> func.HttpResponse:
        return seen(req)

    @app.route(route="ordered/{x}")
    def a_any(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("a_any")

    @app.route(route="ordered/me")
    def b_me(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("b_me")

    @app.route(route="text")
    def text(req: func.HttpRequest) -> str:
        return "plain"

    @app.route(route="described")
    def described(req: func.HttpRequest) -> str:
        return '{"status": 418, "headers": {"X-A": "b"}, "body": "short and stout"}'

    @app.route(route="binary")
    def binary(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(bytes(range(256)), mimetype="application/octet-stream")

    @app.route(route="cookies")
    def cookies(req: func.HttpRequest) -> func.HttpResponse:
        response = func.HttpResponse("ok", status_code=201)
        response.headers.add("Set-Cookie", "a=1; Path=/")
        response.headers.add("Set-Cookie", "b=2; HttpOnly")
        return response

    @app.route(route="nothing")
    def nothing(req: func.HttpRequest):
        return None

    @app.route(route="dictionary")
    def dictionary(req: func.HttpRequest):
        return {"a": 1}

    @app.route(route="broken")
    def broken(req: func.HttpRequest) -> str:
        raise ValueError("no good")

    @app.route(route="unset", binding_arg_name="res")
    def unset(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
        return None

    @app.route(route="traced")
    def traced(req: func.HttpRequest, context: func.Context) -> str:
        return context.trace_context.trace_parent

    @app.route(route="off")
    def off(req: func.HttpRequest) -> str:
        return "never"

    @app.route(route="items/{bad:nonsense}")
    def inerror(req: func.HttpRequest) -> str:
        return "never"

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    def yearly(timer: func.TimerRequest) -> None:
        print("yearly ran", timer.past_due)
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Doors]]:
    folder: Path = tmp_path_factory.mktemp("http")
    host = {"extensions": {"http": {"customHeaders": {"X-Custom": "always"}}}}
    values = {"AzureWebJobs.off.Disabled": "true", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": 100_000}
    app = write_app(folder / "app", APP, host=host, values=values)
    with started(app, folder / "data") as running:
        yield running


async def test_function_sees_the_request_as_it_was_sent(emulator: Emulator) -> None:
    answer = await emulator.post(
        "/API/Items/7?a=1&a=2&b=&c=%20x",
        data=b"\xff\x00body",
        headers=[("X-Two", "1"), ("X-Two", "2")],
    )
    seen = answer.json()
    assert answer.status == 200
    assert seen["method"] == "POST"
    assert seen["route"] == {"id": "7"}
    assert seen["params"] == {"a": "1,2", "c": " x"}
    assert seen["headers"]["x-two"] == "1,2"
    assert seen["body"] == "\xff\x00body"
    assert seen["url"] == f"{emulator.doors.host}/API/Items/7?a=1&a=2&b=&c=%20x"


async def test_url_carries_the_address_that_the_caller_used(emulator: Emulator) -> None:
    answer = await emulator.get("/api/items", headers={"Host": "shop.example:81"})
    assert answer.json()["url"] == "http://shop.example:81/api/items"


async def test_chunked_body_is_passed_on(emulator: Emulator) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    answer = await emulator.post("/api/items/1", data=chunks())
    assert answer.json()["body"] == "onetwo"


async def test_a_packed_body_arrives_as_it_was_sent(emulator: Emulator) -> None:
    packed = gzip.compress(b"x" * 90_000)
    answer = await emulator.post(
        "/api/items/1", data=packed, headers={"Content-Encoding": "gzip"}, compress=False
    )
    assert answer.json()["body"].encode("latin-1") == packed
    assert answer.json()["headers"]["content-encoding"] == "gzip"


async def test_a_path_with_a_newline_is_no_other_path(emulator: Emulator) -> None:
    url = URL(f"{emulator.doors.host}/api/ordered/a%0Ab", encoded=True)
    async with emulator.http.get(url) as answer:
        assert (answer.status, await answer.text()) == (200, "a_any")


@pytest.mark.parametrize(("size", "status"), [(8000, 404), (8300, 414), (100_000, 414)])
async def test_an_address_has_bounds(emulator: Emulator, size: int, status: int) -> None:
    answer = await emulator.get("/api/" + "x" * size)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.headers["Server"] == "Kestrel"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/items/x", 404),
        ("GET", "/items/5", 404),
        ("PUT", "/api/items/5", 404),
        ("HEAD", "/api/items/5", 404),
        ("OPTIONS", "/api/items/5", 404),
        ("GET", "/api/off", 404),
        ("GET", "/api/nothing", 500),
        ("GET", "/api/dictionary", 500),
        ("GET", "/api/broken", 500),
        ("GET", "/api/unset", 200),
        ("GET", "/", 200),
        ("GET", "/admin/nonsense", 404),
        ("GET", "/runtime/webhooks/nonsense", 404),
    ],
)
async def test_status(emulator: Emulator, method: str, path: str, status: int) -> None:
    answer = await emulator.ask(method, path)
    assert answer.status == status
    assert path == "/" or answer.body == b""
    assert answer.headers["X-Custom"] == "always"
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_body_over_the_limit_is_413(emulator: Emulator) -> None:
    answer = await emulator.post("/api/items/5", data=b"x" * 100_001)
    assert answer.status == 413


async def test_first_name_wins_and_not_the_most_specific_route(emulator: Emulator) -> None:
    assert (await emulator.get("/api/ordered/me")).text == "a_any"


async def test_returned_text_is_plain_text(emulator: Emulator) -> None:
    answer = await emulator.get("/api/text")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == "plain"


async def test_returned_text_with_a_body_key_is_a_response(emulator: Emulator) -> None:
    answer = await emulator.get("/api/described")
    assert (answer.status, answer.text) == (418, "short and stout")
    assert answer.headers["X-A"] == "b"


async def test_bytes_arrive_as_they_are(emulator: Emulator) -> None:
    answer = await emulator.get("/api/binary")
    assert answer.body == bytes(range(256))
    assert answer.headers["Content-Type"] == "application/octet-stream"


async def test_two_cookies_are_two_headers(emulator: Emulator) -> None:
    url = emulator.doors.host + "/api/cookies"
    async with aiohttp.ClientSession() as fresh, fresh.get(url) as response:
        assert response.status == 201
        assert response.headers.getall("Set-Cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


async def test_trace_of_the_caller_is_continued(emulator: Emulator) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await emulator.get("/api/traced", headers={"traceparent": parent})
    assert answer.text == parent
    begun = (await emulator.get("/api/traced")).text
    assert begun.startswith("00-")
    assert len(begun) == 55


async def test_failure_is_logged_as_the_host_does(emulator: Emulator) -> None:
    await emulator.get("/api/broken")

    await emulator.logged("Executed 'Functions.broken' (Failed, Id=")
    assert "Exception while executing function: Functions.broken" in emulator.log
    assert "Exception: ValueError: no good" in emulator.log


async def test_function_in_error_is_left_out_and_the_others_run(emulator: Emulator) -> None:
    assert "The 'inerror' function is in error: The constraint reference" in emulator.log
    status = await emulator.get("/admin/functions/inerror/status")
    assert "constraint" in status.json()["errors"][0]


async def test_banner_lists_http_functions_first_and_then_the_others(emulator: Emulator) -> None:
    lines = [line.strip() for line in emulator.log.splitlines()]
    port = emulator.doors.host.rpartition(":")[2]
    listed = lines.index(f"items: [GET,POST] http://localhost:{port}/api/items/{{id:int?}}")
    assert lines.index("Functions:") < listed < lines.index("yearly: timerTrigger")
    assert f"text:  http://localhost:{port}/api/text" in lines
    assert "Function off is disabled." in lines


async def test_admin_tells_state_and_functions(emulator: Emulator) -> None:
    status = (await emulator.get("/admin/host/status")).json()
    assert status["state"] == "Running"
    functions = (await emulator.get("/admin/functions")).json()
    names = [function["name"] for function in functions]
    assert names == sorted(names, key=str.lower)
    items = (await emulator.get("/admin/functions/ITEMS")).json()
    assert items["invoke_url_template"] == f"{emulator.doors.host}/api/items/{{id:int?}}"
    kinds = {binding["type"] for binding in items["config"]["bindings"]}
    assert kinds == {"httpTrigger", "http"}
    assert (await emulator.get("/admin/functions/nope")).status == 404


async def test_admin_tells_the_configuration_and_takes_what_deployment_asks(
    emulator: Emulator,
) -> None:
    config = (await emulator.get("/admin/host/config")).json()
    assert config["extensions"]["http"]["customHeaders"] == {"X-Custom": "always"}
    synced = await emulator.post("/admin/host/synctriggers")
    assert (synced.status, synced.json()) == (200, {"status": "success"})
    for method in ("GET", "POST"):
        assert (await emulator.ask(method, "/admin/warmup")).status == 200
        assert (await emulator.ask(method, "/admin/host/ping")).status == 200
    for path in ("drain", "resume", "nonsense"):
        assert (await emulator.post(f"/admin/host/{path}")).status == 404


async def test_function_is_run_by_hand(emulator: Emulator) -> None:
    answer = await emulator.post("/admin/functions/yearly", json={"input": ""})
    assert answer.status == 202

    await emulator.logged("yearly ran False")
    assert (await emulator.post("/admin/functions/nope", json={"input": ""})).status == 404
    assert (await emulator.post("/admin/functions/yearly", data=b"x")).status == 415


async def test_faults_are_injected_and_taken_back(emulator: Emulator) -> None:
    rule = {"point": "servicebus.send", "action": "fail", "match": {"queue": "none"}}
    added = await emulator.post("/emulator/faults", json=rule)
    assert added.status == 201
    assert added.json()["rules"][0]["point"] == "servicebus.send"
    refused = await emulator.post("/emulator/faults", json={"point": "x", "action": "explode"})
    assert refused.status == 400
    assert "'action'" in refused.json()["error"]
    assert (await emulator.ask("DELETE", "/emulator/faults")).status == 204
    assert (await emulator.get("/emulator/faults")).json()["rules"] == []
