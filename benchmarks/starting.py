"""How long it takes until something serves: the whole system, and the app's own import."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.measurements import Measured
from benchmarks.report import ROOT
from benchmarks.system import running

_HELLO = """\
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("Hello")
"""
# A fresh interpreter that has the two libraries loaded, as the worker has on Azure when it is
# given an app (placeholder mode), and imports the app: what it took, in seconds.
_IMPORT = """\
import json, sys, time
import azure.functions, azure.durable_functions
before = set(sys.modules)
started = time.perf_counter()
import function_app
taken = time.perf_counter() - started
functions = function_app.app.get_functions()
print(json.dumps({"seconds": taken, "modules": len(set(sys.modules) - before)}))
"""


async def start_up() -> Measured:
    """From the start of the process with an empty data folder to the first served request."""
    started = time.perf_counter()
    async with running() as system:
        answer = await system.api.get("/orders?limit=1")
        seconds = time.perf_counter() - started
        answer.raise_for_status()
        async with httpx.AsyncClient() as client:
            told = (await client.get(f"{system.doors.host}/admin/host/status")).json()
        if told["state"] != "Running":
            raise RuntimeError(f"the host says {told['state']}")
    return {"to the first served request": (seconds, "s")}


async def imports() -> Measured:
    """The import of `function_app` beside that of a hello-world app: a cold start's own part.

    What is deployed is not compiled: the first import of an instance compiles it, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        app, hello = Path(folder) / "app", Path(folder) / "hello"
        _copy_app(app)
        hello.mkdir()
        (hello / "function_app.py").write_text(_HELLO, encoding="utf-8")
        (hello / "host.json").write_text('{"version": "2.0"}', encoding="utf-8")
        first, second = _import_in(app), _import_in(app)
        hello_first, hello_second = _import_in(hello), _import_in(hello)
    return {
        "function_app, not yet compiled": (1000 * first["seconds"], "ms"),
        "function_app, compiled": (1000 * second["seconds"], "ms"),
        "hello-world app, not yet compiled": (1000 * hello_first["seconds"], "ms"),
        "hello-world app, compiled": (1000 * hello_second["seconds"], "ms"),
        "modules that function_app loads": (first["modules"], ""),
    }


def _copy_app(folder: Path) -> None:
    """What is deployed: no compiled files, no emulator."""
    folder.mkdir()
    for name in ("function_app.py", "host.json", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    for name in ("activities", "domain", "orchestrators", "triggers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def _import_in(folder: Path) -> dict[str, float]:
    told = subprocess.run(
        (sys.executable, "-c", _IMPORT),
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        raise RuntimeError(f"The app in {folder} cannot be imported: {told.stderr[-2000:]}")
    value: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return value
