"""Apps are loaded, or refused with the worker's texts, by a real child process."""

import sys
from pathlib import Path

import pytest

from emulator.host.worker_process import AppLoadError, WorkerProcess
from tests.integration.worker.conftest import Start, environment
from tests.support.load_cases import HEAD, MODULES, SIGNATURES, LoadCase

# Every text of a signature is tested in process; these few show that it arrives.
CASES = [*MODULES, *[case for case in SIGNATURES if case.error_type][:1]]


def write_app(folder: Path, source: str, name: str = "function_app.py") -> Path:
    (folder / name).write_text(source)
    return folder


async def load_error(folder: Path, **env: str) -> AppLoadError:
    worker = WorkerProcess()
    with pytest.raises(AppLoadError) as caught:
        await worker.start(folder, environment(**env))
    assert worker.pid is None or not is_alive(worker.pid)
    return caught.value


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_app_loads_or_says_why_not(case: LoadCase, tmp_path: Path, start: Start) -> None:
    folder = write_app(tmp_path, case.source)
    if case.error_type is None:
        await start(folder)
        return
    error = await load_error(folder)
    assert error.error_type == case.error_type
    assert case.error in str(error)
    assert str(error).startswith(f"{case.error_type}: ")


async def test_an_error_at_import_comes_with_the_apps_own_trace(tmp_path: Path) -> None:
    error = await load_error(write_app(tmp_path, '\nraise RuntimeError("at import")\n'))
    assert f'File "{tmp_path}/function_app.py", line 2' in error.trace
    assert error.trace.rstrip().endswith("RuntimeError: at import")
    assert "emulator/worker" not in error.trace


async def test_a_missing_script_is_an_error_that_names_it(tmp_path: Path) -> None:
    error = await load_error(tmp_path)
    assert str(error).startswith(f"ScriptNotFoundError: There is no function_app.py in {tmp_path}.")


@pytest.mark.parametrize("name", ["app", "../x.py", "a b.py", ".py", "-a.py"])
async def test_a_script_name_of_another_form_is_refused(name: str, tmp_path: Path) -> None:
    error = await load_error(tmp_path, PYTHON_SCRIPT_FILE_NAME=name)
    assert str(error) == f"InvalidFileNameError: Invalid file name: {name}"


async def test_blueprints_under_another_file_name_with_a_package_called_emulator(
    start: Start,
) -> None:
    worker = await start("blueprints", PYTHON_SCRIPT_FILE_NAME="main_app.py")
    by_name = {function.name: function for function in worker.functions}
    assert set(by_name) == {"wait", "one", "tick", "mine"}
    assert by_name["tick"].retry == {
        "setting_name": "retry_policy",
        "strategy": "exponential_backoff",
        "max_retry_count": "-1",
        "minimum_interval": "00:00:01",
        "maximum_interval": "00:01:00",
    }
    assert by_name["mine"].retry is None
    # What the library says, whatever the file is called.
    assert by_name["mine"].script_file == "function_app.py"
    assert by_name["mine"].bindings == (
        {
            "direction": "IN",
            "type": "httpTrigger",
            "name": "req",
            "methods": ["GET"],
            "authLevel": "FUNCTION",
            "route": "mine",
        },
        {"direction": "OUT", "type": "http", "name": "$return"},
    )
    assert by_name["tick"].trigger_type == "timerTrigger"
    assert by_name["tick"].trigger_name == "timer"
    assert worker.orchestrators() == ["wait"]
    assert worker.activities() == ["one"]
    assert worker.entities() == []


async def test_a_decorator_that_is_called_as_a_function_makes_a_function(
    tmp_path: Path, start: Start
) -> None:
    source = HEAD + 'def f(req): return "x"\napp.route(route="a/{b}")(f)\n'
    worker = await start(write_app(tmp_path, source))
    assert [function.name for function in worker.functions] == ["f"]
    assert not worker.functions[0].is_async


async def test_settings_are_in_the_environment_when_the_app_is_imported(
    tmp_path: Path, start: Start
) -> None:
    source = 'import os\nassert os.environ["QNAME"] == "orders"\n' + HEAD
    await start(write_app(tmp_path, source), QNAME="orders")


async def test_the_app_is_imported_by_its_stem_in_its_folder_on_the_running_loop(
    tmp_path: Path, start: Start
) -> None:
    source = HEAD + (
        "import asyncio, os, sys\n"
        'assert __name__ == "function_app"\n'
        "assert sys.path[0] == os.getcwd()\n"
        "asyncio.get_running_loop()\n"
        'assert not any("emulator/worker" in entry for entry in sys.path), sys.path\n'
        'assert "emulator" not in sys.modules\n'
    )
    await start(write_app(tmp_path, source))


async def test_packages_in_the_apps_folder_are_found(tmp_path: Path, start: Start) -> None:
    packages = tmp_path / ".python_packages" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "vendored.py").write_text("VALUE = 1\n")
    await start(write_app(tmp_path, HEAD + "from vendored import VALUE\n"))


async def test_modules_of_the_app_may_be_called_as_those_of_the_worker(
    tmp_path: Path, start: Start
) -> None:
    for name in ("context", "protocol", "worker", "loader", "logs"):
        (tmp_path / f"{name}.py").write_text("MINE = True\n")
    source = HEAD + "import context, protocol, worker, loader, logs\nassert loader.MINE\n"
    await start(write_app(tmp_path, source))


async def test_an_interpreter_without_the_library_is_reported(tmp_path: Path) -> None:
    write_app(tmp_path, HEAD)
    worker = WorkerProcess()
    hidden = environment(PYTHONPATH=str(tmp_path / "nothing"))
    with pytest.raises(AppLoadError) as caught:
        await worker.start(tmp_path, hidden, _python_without_packages(tmp_path))
    assert "No module named 'azure'" in caught.value.trace
    assert str(caught.value).startswith("Exit code: 1.")


def _python_without_packages(folder: Path) -> str:
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    script.chmod(0o755)
    return str(script)


async def test_an_interpreter_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await WorkerProcess().start(tmp_path, environment(), str(tmp_path / "nothing"))


async def test_an_app_that_ends_the_process_at_import_is_reported(tmp_path: Path) -> None:
    error = await load_error(write_app(tmp_path, "import os\nos._exit(7)\n"))
    assert error.error_type is None
    assert str(error) == "Exit code: 7."
