"""Test harnesses that other people wrote for Core Tools find what they wait for.

Each test does what a harness does, in its order: Microsoft's for Durable Functions in Python, and
the one of the Python worker. `func` is the two lines that emulator/README.md gives.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from tests.support.emulator import until, write_app

DURABLE = """
    import azure.durable_functions as df
    import azure.functions as func

    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="ping")
    def ping(req: func.HttpRequest) -> str:
        return "pong"

    @app.route(route="orchestrators/{name}", methods=["POST"])
    @app.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client) -> func.HttpResponse:
        instance = await client.start_new(req.route_params["name"])
        return client.create_check_status_response(req, instance)

    @app.orchestration_trigger(context_name="context")
    def greet(context):
        return (yield context.call_activity("hello", "world"))

    @app.activity_trigger(input_name="name")
    def hello(name: str) -> str:
        return f"Hello {name}!"
"""
HOST = {
    "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0)"},
    "extensions": {"durableTask": {"storageProvider": {"type": "AzureStorage"}}},
}
STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
# What both harnesses take as the end of all hope.
FATAL = (
    "Worker failed to load",
    "Host startup operation has been canceled",
    "Worker was unable to load",
)


@pytest.fixture
def func(tmp_path: Path) -> Path:
    """A `func` to put on a PATH, on ports that no other test uses."""
    shim = tmp_path / "bin" / "func"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m emulator "$@" --cosmos-port 0 --servicebus-port 0\n'
    )
    shim.chmod(0o755)
    return shim


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(
    command: list[str], app: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in a session of its own, its output in a file; terminated as a group."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    with (app.parent / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=app,
            env={**given, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
            os.killpg(process.pid, signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def answered(http: aiohttp.ClientSession, url: str) -> None:
    async def good() -> bool:
        with suppress(aiohttp.ClientError):
            async with http.get(url) as response:
                return 200 <= response.status < 300
        return False

    await until(good, f"{url} answers")


async def test_harness_of_durable_functions(func: Path, tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", DURABLE, host=HOST, values=STORAGE)
    python = app / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    environment = {
        "VIRTUAL_ENV": str(app / ".venv"),
        "PATH": os.pathsep.join([str(func.parent), str(python.parent), os.environ["PATH"]]),
    }
    port = free_port()
    base = f"http://127.0.0.1:{port}/api"
    with running(["func", "start", "--port", str(port)], app, environment):
        async with aiohttp.ClientSession() as http:
            await answered(http, f"{base}/ping")
            async with http.post(f"{base}/orchestrators/greet") as response:
                assert response.status == 202
                status = response.headers["Location"]

            async def completed() -> str | None:
                async with http.get(status) as response:
                    document = await response.json()
                    return document["output"] if response.status == 200 else None

            assert await until(completed, "it completed") == "Hello world!"
    printed = (tmp_path / "output").read_text()
    assert not any(line in printed for line in FATAL)
    assert "\tgreet: orchestrationTrigger\n" in printed


async def test_harness_of_the_python_worker(func: Path, tmp_path: Path) -> None:
    source = """
    import logging
    import azure.functions as func

    app = func.FunctionApp()

    @app.route(route="return_str")
    def return_str(req: func.HttpRequest) -> str:
        logging.info("a line of the app")
        return "Hello World!"
    """
    app = write_app(tmp_path / "app", source)
    port = free_port()
    environment = {
        "AzureWebJobsScriptRoot": str(app),
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AZURE_FUNCTIONS_ENVIRONMENT": "development",
        "AzureWebJobsSecretStorageType": "files",
        "host:logger:consoleLoggingMode": "always",
        "ASPNETCORE_URLS": f"http://localhost:{port}",
    }
    command = [str(func), "host", "start", "--verbose", "--port", str(port)]
    base = f"http://localhost:{port}"
    with running(command, app, environment):
        async with aiohttp.ClientSession() as http:
            await answered(http, base)
            async with http.get(f"{base}/api/return_str?code=testFunctionKey") as response:
                assert await response.text() == "Hello World!"
            async with http.get(f"{base}/admin/host/status") as response:
                assert json.loads(await response.read())["state"] == "Running"
    lines = [line.split("] ", 1)[-1] for line in (tmp_path / "output").read_text().splitlines()]
    assert "a line of the app" in lines


async def test_functions_answer_before_the_banner_is_printed(func: Path, tmp_path: Path) -> None:
    """Whoever waits for the output may call at once; whoever calls early is kept waiting."""
    source = DURABLE + "\n    import time\n    time.sleep(1)\n"
    app = write_app(tmp_path / "app", source, host=HOST, values=STORAGE)
    port = free_port()
    with running([str(func), "start", "--port", str(port)], app, {}):
        async with aiohttp.ClientSession() as http:

            async def open_() -> bool:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return True
                return False

            await until(open_, "the port is open")
            async with http.get(f"http://127.0.0.1:{port}/api/ping") as response:
                assert (response.status, await response.text()) == (200, "pong")

        async def announced() -> list[str]:
            lines = (tmp_path / "output").read_text().splitlines()
            return lines if any("Host lock lease acquired" in line for line in lines) else []

        lines = await until(announced, "the last line of the start is there")
    where = [next(i for i, line in enumerate(lines) if text in line) for text in ORDER]
    assert where == sorted(where)


ORDER = (
    *("Azure Functions Core Tools", "Core Tools Version:", "Function Runtime Version:"),
    *("Worker process started and initialized.", "Functions:", "ping:  http://localhost:"),
    *("greet: orchestrationTrigger", "For detailed output, run func with --verbose flag."),
    "Host lock lease acquired by instance ID",
)
