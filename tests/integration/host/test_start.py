"""How the emulator starts, refuses to start, and stops: exit codes and one-line errors."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.emulator import Emulator, running, until, write_app

APP = """
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="ping")
    def ping(req: func.HttpRequest) -> str:
        return "pong"
"""
PORTS = tuple(
    word
    for door in ("", "cosmos-", "servicebus-", "gateway-", "blob-")
    for word in (f"--{door}port", "0")
)


def emulator(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "emulator", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app", APP)


def refused(app: Path, *arguments: str, **environment: str) -> str:
    """What is said on stderr by a start that must fail."""
    done = emulator("start", "--script-root", str(app), *PORTS, *arguments, **environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "emulator/host" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("words", [("--version",), ("-v",), ("version",), ("host", "--version")])
def test_version(words: tuple[str, ...]) -> None:
    done = emulator(*words)
    assert (done.returncode, done.stdout) == (0, "4.0.7000\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "start"),
        (("stop",), "Unknown command 'stop'"),
        (("start", "--nonsense"), "--nonsense"),
        (("start", "--port", "high"), "'high' is not a port"),
        (("start", "--port", "70000"), "'70000' is not a port"),
        (("start", "--script-root", "/nowhere"), "/nowhere"),
        (("start", "--settings", "nowhere.json"), "nowhere.json"),
        (("start", "--address", "0.0.0.0"), "this machine only"),
        (("start", "--useHttps"), "not supported"),
    ],
)
def test_command_line_that_makes_no_sense(words: tuple[str, ...], text: str) -> None:
    done = emulator(*words)
    assert done.returncode == 1
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_port_in_use_has_the_vendors_text(app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = refused(app, "--port", str(port))
    assert text == (
        f"Port {port} is unavailable. Close the process using that port, or specify another port "
        "using --port [-p].\n"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import azure.functions as func\n1/0", "ZeroDivisionError"),
        ("import nowhere_to_be_found", "Cannot find module"),
        ("x = 1", "Could not find top level function app instances in function_app.py"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_broken_app_ends_the_start_with_the_workers_text(app: Path, source: str, text: str) -> None:
    (app / "function_app.py").write_text(source)
    said = refused(app).splitlines()
    assert said[0].startswith("Worker failed to load function app.")
    assert any(text in line for line in said)


def test_missing_app_ends_the_start(tmp_path: Path) -> None:
    said = refused(tmp_path)
    assert "There is no function_app.py" in said
    assert said.count("\n") == 1


def test_app_of_the_v1_model_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "Hello").mkdir()
    (tmp_path / "Hello" / "function.json").write_text('{"bindings": []}')
    said = refused(tmp_path)
    assert "of the v1 programming model, which the emulator does not run" in said
    assert said.count("\n") == 1


def test_signature_that_is_refused_is_said_once(app: Path) -> None:
    source = "import azure.functions as func\napp = func.FunctionApp()\n"
    (app / "function_app.py").write_text(source + "@app.route()\ndef f(req, other=1): ...\n")
    assert refused(app) == (
        "Worker failed to load function app. FunctionLoadError: cannot load the f function: the "
        "following parameters are declared in Python but not in the function definition "
        "(function.json or function decorators):  {'other'}\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("local.settings.json", '{"Values": {"A": {"b": 1}}}', "'A'"),
        ("local.settings.json", "nonsense", "Failed to read app settings file"),
        ("host.json", "{}", "'version'"),
        ("host.json", '{"version": "2.0", "functionTimeout": "soon"}', "functionTimeout"),
        ("host.json", '{"version":"2.0","logging":{"logLevel":{"default":"Loud"}}}', "'Loud'"),
        (
            "host.json",
            '{"version":"2.0","extensions":{"durableTask":{"maxConcurrentActivityFunctions":0}}}',
            "maxConcurrentActivityFunctions",
        ),
        ("infra/entities.json", "nonsense", "entities"),
        ("infra/entities.json", '{"serviceBus": []}', "entities"),
        ("infra/entities.json", '{"serviceBus":{"queues":[{"name":"q","color":1}]}}', "color"),
        ("infra/entities.json", '{"cosmos":{"database":"d","containers":[{}]}}', "entities"),
    ],
)
def test_nonsense_in_a_file_is_one_line(app: Path, name: str, content: str, text: str) -> None:
    (app / name).parent.mkdir(exist_ok=True)
    (app / name).write_text(content)
    said = refused(app)
    assert text in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("rule", ["{}", "[1]", "{nonsense", '{"point": "x", "action": "explode"}'])
def test_nonsense_in_faults_is_one_line(app: Path, rule: str) -> None:
    said = refused(app, "--faults", rule)
    assert said.startswith("--faults: ")
    assert said.count("\n") == 1


def test_other_worker_runtime_is_refused(app: Path) -> None:
    said = refused(app, FUNCTIONS_WORKER_RUNTIME="node")
    assert "FUNCTIONS_WORKER_RUNTIME is 'node'" in said


def test_data_folder_that_cannot_be_used(app: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--data-dir" in refused(app, "--data-dir", str(tmp_path / "file"))
    assert "--data-dir" in refused(app, "--data-dir", "/proc/nowhere")


def test_data_of_a_newer_version_is_refused(app: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    connection = sqlite3.connect(data / "servicebus.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    assert "newer version" in refused(app, "--data-dir", str(data))


def test_data_that_is_no_database_is_refused(app: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "cosmos.db").write_bytes(b"no database at all" * 1000)
    assert "not a database" in refused(app, "--data-dir", str(data))


def test_module_that_does_not_end_is_given_up(app: Path) -> None:
    (app / "function_app.py").write_text("import threading\nthreading.Event().wait()")
    assert "was not loaded within 1 seconds" in refused(app, "--timeout", "1")


async def test_second_instance_on_the_same_data_is_refused(app: Path, tmp_path: Path) -> None:
    async with running(app, tmp_path / "data") as first:
        said = await asyncio.to_thread(refused, app, "--data-dir", str(tmp_path / "data"))
        assert f"(process {first.doors.pid}) uses" in said


@pytest.fixture
def started(app: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "emulator", "start", "--script-root", str(app), *PORTS),
            *("--ready-json", "--data-dir", str(tmp_path / "data")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def wait_ready(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"emulator"'):
            found: dict[str, object] = json.loads(line)["emulator"]
            return found
    raise AssertionError("It ended before it was ready.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_it_with_exit_code_0(
    started: "subprocess.Popen[str]", number: signal.Signals
) -> None:
    doors = wait_ready(started)
    assert doors["pid"] == started.pid
    started.send_signal(number)
    _, said = started.communicate(timeout=30)
    assert started.returncode == 0
    assert said == ""


def test_worker_dies_with_the_host(started: "subprocess.Popen[str]") -> None:
    wait_ready(started)
    [worker] = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    started.kill()
    started.communicate(timeout=30)

    async def gone() -> bool:
        return not os.path.exists(f"/proc/{worker}/cmdline")  # noqa: ASYNC240 - no disk

    asyncio.run(until(gone, "the worker ended"))


async def test_stop_waits_for_what_is_in_flight_but_not_for_ever(tmp_path: Path) -> None:
    source = """
    import asyncio
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="wait/{seconds}")
    async def wait(req: func.HttpRequest) -> str:
        print("waiting", req.route_params["seconds"])
        await asyncio.sleep(float(req.route_params["seconds"]))
        return "waited"

    @app.service_bus_queue_trigger(arg_name="msg", queue_name="q", connection="SB")
    async def message(msg: func.ServiceBusMessage):
        print("handling")
        await asyncio.sleep(1)
    """
    app = write_app(tmp_path / "app", source)
    async with running(app, tmp_path / "data") as host:
        answer = asyncio.create_task(host.get("/api/wait/1"))
        await host.send("q", "x")
        await host.logged("waiting 1")
        await host.logged("handling")
        assert await asyncio.to_thread(host.process.stop) == 0
        assert (await answer).text == "waited"
    async with running(app, tmp_path / "data") as host:
        # It was completed before the end, so it does not come again.
        assert (await host.counts("q"))["active"] == 0
        endless = asyncio.create_task(host.get("/api/wait/3600"))
        await host.logged("waiting 3600")
        assert await asyncio.to_thread(host.process.stop) == 0
        await asyncio.gather(endless, return_exceptions=True)


async def test_keep_going_serves_without_functions(app: Path, tmp_path: Path) -> None:
    (app / "function_app.py").write_text("1/0")
    async with running(app, tmp_path / "data", arguments=["--keep-going"]) as host:
        assert (await host.get("/api/ping")).status == 404
        assert "ZeroDivisionError" in (await host.get("/admin/host/status")).json()["errors"][0]


async def test_restart_by_admin_takes_the_app_as_it_is_by_then(app: Path, tmp_path: Path) -> None:
    source = (app / "function_app.py").read_text()

    async def answers(host: Emulator, text: str) -> None:
        async def answered() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                return (await host.get("/api/ping")).text == text
            return False

        await until(answered, f"the app answers {text!r}")

    async with running(app, tmp_path / "data") as host:
        (app / "function_app.py").write_text(source.replace("pong", "changed"))
        assert (await host.post("/admin/host/restart")).status == 202
        await answers(host, "changed")
        (app / "function_app.py").write_text("def broken(:")
        assert (await host.post("/admin/host/restart")).status == 202
        # An app in the making does not end the host, and the next restart may find it whole.
        await host.logged("SyntaxError: invalid syntax")
        await answers(host, "")
        (app / "function_app.py").write_text(source)
        assert (await host.post("/admin/host/restart")).status == 202
        await answers(host, "pong")
        assert host.process.running


def test_interpreter_that_cannot_be_started_is_named(app: Path) -> None:
    said = refused(app, languageWorkers__python__defaultExecutablePath="/nowhere/python")
    assert said.startswith("The worker's Python cannot be started")
    assert "/nowhere/python" in said


async def test_worker_runs_in_the_activated_environment(tmp_path: Path) -> None:
    source = """
    import os
    import azure.functions as func

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="which")
    def which(req: func.HttpRequest) -> str:
        return os.environ.get("STARTED_BY", "the emulator's own")
    """
    app = write_app(tmp_path / "app", source)
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nSTARTED_BY=venv exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    environment = {"VIRTUAL_ENV": str(tmp_path / "venv")}
    async with running(app, tmp_path / "data", environment=environment) as host:
        assert (await host.get("/api/which")).text == "venv"


async def test_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    source = (
        APP
        + """
    import os

    @app.route(route="die")
    def die(req: func.HttpRequest) -> str:
        os._exit(9)
    """
    )
    app = write_app(tmp_path / "app", source)
    async with running(app, tmp_path / "data") as host:
        assert (await host.get("/api/die")).status == 500
        assert (await host.get("/api/ping")).text == "pong"


async def test_keys_are_checked_with_enable_auth(tmp_path: Path) -> None:
    source = """
    import azure.functions as func

    app = func.FunctionApp()

    @app.route(route="f/{x?}", auth_level=func.AuthLevel.FUNCTION)
    def f(req: func.HttpRequest) -> str:
        return "function"

    @app.route(route="a", auth_level=func.AuthLevel.ADMIN)
    def a(req: func.HttpRequest) -> str:
        return "admin"

    @app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
    def anonymous(req: func.HttpRequest) -> str:
        return "open"

    @app.route(route="off", auth_level=func.AuthLevel.ANONYMOUS)
    def off(req: func.HttpRequest) -> str:
        return "off"
    """
    values = {"AzureWebJobs.off.Disabled": "1"}
    app = write_app(tmp_path / "app", source, values=values)
    async with running(app, tmp_path / "data", arguments=["--enableAuth"]) as host:
        secrets = tmp_path / "data" / "secrets"
        keys = json.loads((secrets / "host.json").read_text())
        master, shared = keys["masterKey"]["value"], keys["functionKeys"][0]["value"]
        assert (secrets / "host.json").stat().st_mode & 0o077 == 0

        async def status(path: str, key: str | None = None) -> int:
            headers = {"x-functions-key": key} if key else {}
            return (await host.get(path, headers=headers)).status

        assert await status("/api/open") == 200
        assert await status("/api/f") == 401
        assert await status("/api/f", "wrong") == 401
        assert await status("/api/f", shared) == 200
        assert await status(f"/api/f?code={shared}") == 200
        assert await status(f"/api/f?code={shared}", "wrong") == 401
        assert await status("/api/a", shared) == 401
        assert await status("/api/a", master) == 200
        assert await status("/api/off") == 404
        assert await status("/api/off", master) == 200
        assert await status("/admin/functions") == 401
        assert await status("/admin/functions", master) == 200
        own = json.loads((secrets / "f.json").read_text())["keys"][0]["value"]
        assert await status("/api/f", own) == 200
        assert await status("/api/a", own) == 401
        assert shared not in host.log
        assert master not in host.log


async def test_cors_is_answered_only_where_it_is_switched_on(app: Path, tmp_path: Path) -> None:
    arguments = ["--cors", "https://good.example", "--cors-credentials"]
    async with running(app, tmp_path / "data", arguments=arguments) as host:
        preflight = await host.ask(
            "OPTIONS",
            "/api/ping",
            headers={
                "Origin": "https://good.example",
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "X-A",
            },
        )
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://good.example"
        assert preflight.headers["Access-Control-Allow-Headers"] == "X-A"
        assert preflight.headers["Access-Control-Allow-Credentials"] == "true"
        other = await host.get("/api/ping", headers={"Origin": "https://bad.example"})
        assert "Access-Control-Allow-Origin" not in other.headers


async def test_default_azure_credential_works_unchanged(tmp_path: Path) -> None:
    source = """
    import os
    import azure.functions as func
    from azure.cosmos.aio import CosmosClient
    from azure.identity.aio import DefaultAzureCredential

    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="databases")
    async def databases(req: func.HttpRequest) -> str:
        async with (
            DefaultAzureCredential() as credential,
            CosmosClient(os.environ["STORE__accountEndpoint"], credential) as client,
        ):
            items = client.get_database_client("db").get_container_client("items")
            made = await items.upsert_item({"id": "1"})
            return made["id"]
    """
    values = {"STORE__accountEndpoint": "https://localhost:8081/"}
    entities = {
        "cosmos": {"database": "db", "containers": [{"name": "items", "partitionKey": "/id"}]}
    }
    app = write_app(tmp_path / "app", source, values=values, entities=entities)
    async with running(app, tmp_path / "data", arguments=["--cosmos-tls-port", "0"]) as host:
        answer = await host.get("/api/databases")
        assert (answer.status, answer.text) == (200, "1")


def test_signal_while_the_app_is_loaded_ends_it(app: Path, tmp_path: Path) -> None:
    (app / "function_app.py").write_text(
        "print('loading', flush=True)\nimport threading\nthreading.Event().wait()"
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "emulator", "start", "--script-root", str(app), *PORTS),
            *("--data-dir", str(tmp_path / "data")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "loading" not in process.stdout.readline():
        continue
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
