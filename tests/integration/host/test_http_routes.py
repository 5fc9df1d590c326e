"""Every kind of route, body, returned value and key, through real functions."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.launch import Doors, EmulatorProcess
from tests.support.emulator import Emulator, running, started, write_app

GUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
# Constraint, a value that it passes, one that it does not.
CONSTRAINTS = [
    ("int", "-5", "5.0"),
    ("bool", "True", "1"),
    ("datetime", "2024-01-31", "2024-13-31"),
    ("decimal", "1.5", "1e5"),
    ("double", "1e5", "x"),
    ("float", "-1.5", "1.5f"),
    ("guid", GUID, "3f2504e0"),
    ("long", "9223372036854775807", "9223372036854775808"),
    ("alpha", "abC", "ab1"),
    ("minlength(2)", "ab", "a"),
    ("maxlength(2)", "ab", "abc"),
    ("length(2)", "ab", "abc"),
    ("length(2,3)", "abc", "abcd"),
    ("min(3)", "3", "2"),
    ("max(3)", "3", "4"),
    ("range(2,4)", "4", "5"),
    ("regex(^[a-z]{{2}}$)", "AB", "abc"),
    ("int:min(3)", "4", "2"),
    ("required", "a%20b", ""),
]
APP = """
    import json, time
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    CONSTRAINTS = json.loads('''%s''')

    def told(req):
        return func.HttpResponse(json.dumps(dict(req.route_params)), mimetype="application/json")

    for number, constraint in enumerate(CONSTRAINTS):
        def constrained(req: func.HttpRequest) -> func.HttpResponse:
            return told(req)
        name = f"constraint{number}"
        app.function_name(name)(app.route(route=f"c{number}/{{v:{constraint}}}")(constrained))

    @app.route(route="optional/{a}/{b:int?}")
    def optional(req: func.HttpRequest) -> func.HttpResponse:
        return told(req)

    @app.route(route="default/{a=x y}")
    def default(req: func.HttpRequest) -> func.HttpResponse:
        return told(req)

    @app.route(route="all/{*rest}")
    def catch_all(req: func.HttpRequest) -> func.HttpResponse:
        return told(req)

    @app.route(route="v{major}.{minor}/x")
    def mixed(req: func.HttpRequest) -> func.HttpResponse:
        return told(req)

    @app.route(route="shared", methods=["GET", "HEAD"])
    def reads(req: func.HttpRequest) -> str:
        return "read"

    @app.route(route="shared", methods=["POST", "OPTIONS"])
    def writes(req: func.HttpRequest) -> str:
        return "written"

    @app.route(route="Shared/", methods=["GET"])
    def same_route(req: func.HttpRequest) -> str:
        return "never"

    @app.route(route="body")
    def body(req: func.HttpRequest) -> func.HttpResponse:
        try:
            document = req.get_json()
        except ValueError:
            document = "no JSON"
        form = {**req.form, **{name: file.filename for name, file in req.files.items()}}
        return func.HttpResponse(json.dumps(
            {"length": len(req.get_body()), "json": document, "form": form}))

    @app.route(route="returns/{kind}")
    def returns(req: func.HttpRequest):
        return {"bytes": b"raw", "int": 1, "tuple": ("a", 200),
                "status": func.HttpResponse(status_code=204),
                "nonsense": func.HttpResponse(status_code=42),
                "named": func.HttpResponse("\\u00e9", charset="latin-1", mimetype="text/html",
                    headers={"X-Many": "1, 2", "Content-Length": "999"})}[req.route_params["kind"]]

    @app.route(route="set", binding_arg_name="res")
    def sets(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
        res.set(func.HttpResponse("set", status_code=202))

    @app.route(route="blocks")
    async def blocks_the_loop(req: func.HttpRequest) -> str:
        print("blocking")
        time.sleep(1)
        return "done"
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Doors]]:
    folder: Path = tmp_path_factory.mktemp("routes")
    source = APP % json.dumps([constraint for constraint, _, _ in CONSTRAINTS])
    values = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": 100_000}
    with started(write_app(folder / "app", source, values=values), folder / "data") as running_one:
        yield running_one


async def test_constraints_decide_which_values_reach_the_function(emulator: Emulator) -> None:
    for number, (constraint, good, bad) in enumerate(CONSTRAINTS):
        passed = await emulator.get(f"/api/c{number}/{good}")
        assert passed.status == 200, constraint
        assert passed.json() == {"v": good.replace("%20", " ")}, constraint
        refused = await emulator.get(f"/api/c{number}/{bad}")
        assert (refused.status, refused.body) == (404, b""), constraint


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("optional/1", {"a": "1"}),
        ("optional/1/2", {"a": "1", "b": "2"}),
        ("optional/1/x", None),
        ("optional/1/2/3", None),
        ("default", {"a": "x y"}),
        ("default/z", {"a": "z"}),
        ("all", {}),
        ("all/a/b%20c/", {"rest": "a/b c"}),
        ("v1.2/x", {"major": "1", "minor": "2"}),
        ("v1/x", None),
    ],
)
async def test_route_values(emulator: Emulator, path: str, values: dict[str, str] | None) -> None:
    answer = await emulator.get(f"/api/{path}")
    assert answer.status == (404 if values is None else 200)
    assert values is None or answer.json() == values


@pytest.mark.parametrize(
    ("method", "status", "text"),
    [
        ("GET", 200, "read"),
        ("HEAD", 200, ""),
        ("POST", 200, "written"),
        ("OPTIONS", 200, "written"),
        ("PUT", 404, ""),
        ("DELETE", 404, ""),
    ],
)
async def test_methods_of_one_template_belong_to_functions_of_their_own(
    emulator: Emulator, method: str, status: int, text: str
) -> None:
    answer = await emulator.ask(method, "/api/shared")
    assert (answer.status, answer.text) == (status, text)


async def test_route_that_another_function_has_is_an_error_of_the_later_name(
    emulator: Emulator,
) -> None:
    reason = "The route specified conflicts with the route defined by function 'reads'."
    assert f"The 'same_route' function is in error: {reason}" in emulator.log


async def test_bodies(emulator: Emulator) -> None:
    empty = await emulator.post("/api/body")
    assert empty.json() == {"length": 0, "json": "no JSON", "form": {}}
    as_json = await emulator.post("/api/body", json={"a": [1]})
    assert as_json.json()["json"] == {"a": [1]}
    form = await emulator.post("/api/body", data={"a": "1", "b": "\u00e9"})
    assert form.json()["form"] == {"a": "1", "b": "\u00e9"}
    with_get = await emulator.get("/api/body", data=b"{}")
    assert with_get.json()["json"] == {}


async def test_body_without_a_length_is_held_to_the_limit_too(emulator: Emulator) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 10_000

    assert (await emulator.post("/api/body", data=chunks(10))).json()["length"] == 100_000
    assert (await emulator.post("/api/body", data=chunks(11))).status == 413
    assert (await emulator.post("/api/body", data=b"x" * 100_000)).status == 200
    await emulator.logged("A request body came without Content-Length.")


@pytest.mark.parametrize("kind", ["bytes", "int", "tuple"])
async def test_value_that_is_no_response_is_500(emulator: Emulator, kind: str) -> None:
    answer = await emulator.get(f"/api/returns/{kind}")
    assert (answer.status, answer.body) == (500, b"")
    await emulator.logged(f'unsupported type "http" for Python type "{kind}"')


async def test_responses_keep_what_the_function_gave_them(emulator: Emulator) -> None:
    empty = await emulator.get("/api/returns/status")
    assert (empty.status, empty.body) == (204, b"")
    named = await emulator.get("/api/returns/named")
    assert named.body == b"\xe9"
    assert named.headers["Content-Type"] == "text/html; charset=latin-1"
    assert named.headers["X-Many"] == "1, 2"
    assert named.headers["Content-Length"] == "1"
    set_ = await emulator.get("/api/set")
    assert (set_.status, set_.text) == (202, "set")


async def test_status_code_that_is_none_is_500(emulator: Emulator) -> None:
    answer = await emulator.get("/api/returns/nonsense")
    assert (answer.status, answer.body) == (500, b"")
    await emulator.logged("42 is not a status code: 100 to 999.")


async def test_bytes_that_are_no_request_are_400_and_one_line_of_the_log(
    emulator: Emulator,
) -> None:
    port = int(emulator.doors.host.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    await emulator.logged("A request could not be read: ")
    assert "BadHttpMessage" not in emulator.log, "no trace of the server's own"


async def test_compressed_body_is_passed_on_as_it_is(emulator: Emulator) -> None:
    body = gzip.compress(b"x" * 1000)
    answer = await emulator.post("/api/body", data=body, headers={"Content-Encoding": "gzip"})
    assert answer.json()["length"] == len(body)


async def test_blocked_loop_of_the_app_does_not_hold_up_the_host(emulator: Emulator) -> None:
    held = asyncio.create_task(emulator.get("/api/blocks"))
    await emulator.logged("blocking")
    assert (await emulator.get("/admin/host/status")).status == 200
    assert not held.done()
    assert (await held).text == "done"


async def test_wsgi_app_is_served(tmp_path: Path) -> None:
    source = """
    import azure.functions as func

    def application(environ, start_response):
        start_response("201 Created", [("Content-Type", "text/plain"), ("X-A", "b")])
        length = int(environ["CONTENT_LENGTH"] or 0)
        body = environ["wsgi.input"].read(length)
        return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode(), body]

    app = func.WsgiFunctionApp(app=application, http_auth_level=func.AuthLevel.ANONYMOUS)
    """
    host = {"extensions": {"http": {"routePrefix": ""}}}
    app = write_app(tmp_path / "app", source, host=host)
    async with running(app, tmp_path / "data") as emulator:
        answer = await emulator.post("/a/b?c=d", data=b"body")
        assert (answer.status, answer.text) == (201, "POST /a/b body")
        assert answer.headers["X-A"] == "b"


KEYED = """
    import azure.functions as func

    app = func.FunctionApp()

    @app.route(route="f", auth_level=func.AuthLevel.FUNCTION)
    def f(req: func.HttpRequest) -> str:
        return "function"

    @app.event_grid_trigger(arg_name="event")
    def granted(event: func.EventGridEvent): ...
"""


async def test_prepared_and_managed_keys_open_what_they_should(tmp_path: Path) -> None:
    """As the Python worker's harness does: a secrets file is there before the host starts."""
    secrets = tmp_path / "data" / "secrets"
    secrets.mkdir(parents=True)
    prepared: dict[str, Any] = {
        "masterKey": {"name": "master", "value": "testMasterKey", "encrypted": False},
        "functionKeys": [{"name": "default", "value": "testFunctionKey", "encrypted": False}],
        "systemKeys": [{"name": "eventgrid_extension", "value": "testSystemKey"}],
    }
    (secrets / "host.json").write_text(json.dumps(prepared))
    app = write_app(tmp_path / "app", KEYED)
    async with running(app, tmp_path / "data", arguments=["--enableAuth"]) as host:
        assert (await host.get("/api/f?code=testFunctionKey")).text == "function"
        assert (await host.get("/api/f?code=testSystemKey")).status == 401
        hook = "/runtime/webhooks/eventgrid?functionName=granted"
        kind = {"aeg-event-type": "Unsubscribe"}
        assert (await host.post(hook, headers=kind)).status == 401
        assert (await host.post(f"{hook}&code=testFunctionKey", headers=kind)).status == 401
        assert (await host.post(f"{hook}&code=testSystemKey", headers=kind)).status == 202
        assert (await host.post(f"{hook}&code=testMasterKey", headers=kind)).status == 202

        master = {"x-functions-key": "testMasterKey"}
        keys = "/admin/functions/f/keys"
        assert (await host.get(keys)).status == 401
        listed = (await host.get(keys, headers=master)).json()["keys"]
        assert [key["name"] for key in listed] == ["default"]
        made = await host.post(f"{keys}/mine", headers=master)
        assert made.status == 201
        own = made.json()["value"]
        assert (await host.get(f"/api/f?code={own}")).status == 200
        changed = await host.ask("PUT", f"{keys}/mine", json={"value": "k2"}, headers=master)
        assert (changed.status, changed.json()) == (200, {"name": "mine", "value": "k2"})
        assert (await host.get(f"/api/f?code={own}")).status == 401
        assert (await host.get("/api/f", headers={"x-functions-key": "k2"})).status == 200
        assert (await host.ask("DELETE", f"{keys}/mine", headers=master)).status == 204
        assert (await host.get("/api/f?code=k2")).status == 401
        assert (await host.get("/admin/functions/nope/keys", headers=master)).status == 404
