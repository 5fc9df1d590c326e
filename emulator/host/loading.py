"""Starts the worker and loads the app, with every way in which that fails as one clear text.

Source of the texts for an app that cannot be loaded: the worker, and the host's line before it.
"""

import asyncio
from collections.abc import Collection, Iterable
from pathlib import Path

from emulator.host.admin import HostState
from emulator.host.configuration import Configuration
from emulator.host.errors import StartError
from emulator.host.functions import Function, allow_list, unknown_names
from emulator.host.log import Log
from emulator.host.settings import Settings
from emulator.host.worker_model import AppLoadError, FunctionMetadata
from emulator.host.worker_process import WorkerProcess


async def load_app(
    worker: WorkerProcess, configuration: Configuration, console: Log, state: HostState
) -> list[FunctionMetadata]:
    """Start the worker and load the app; none of its functions where the user wants to go on.

    Raises:
        StartError: the app cannot be loaded, or not in time.
    """
    options, settings = configuration.options, configuration.settings
    try:
        async with asyncio.timeout(options.timeout_s):
            loaded = await worker.start(
                options.script_root, settings.environment, worker_python(settings)
            )
    except TimeoutError as error:
        raise StartError(
            f"The function app was not loaded within {options.timeout_s:g} seconds. What it "
            "does at import must end; --timeout gives it longer."
        ) from error
    except AppLoadError as error:
        text = _refusal(error, options.script_root)
        if not options.keep_going:
            raise StartError(text) from error
        state.errors = (str(error),)
        console.error(text)
        return []
    except OSError as error:
        raise StartError(f"The worker's Python cannot be started: {error}.") from error
    console.info("Worker process started and initialized.", "Function.Host")
    return loaded


def tell_of_selection(
    loaded: Collection[FunctionMetadata],
    functions: Iterable[Function],
    configuration: Configuration,
    console: Log,
) -> None:
    """Say which functions are left out on purpose, and that none is left where it is so."""
    names = allow_list(configuration.host_json, configuration.options.functions)
    if names is not None:
        listed = ", ".join(names)
        text = "A function allow list has been specified, excluding all but the following functions"
        console.info(f"{text}: [{listed}]", "Host.Startup")
        for name in unknown_names(loaded, names):
            console.warning(f"The allow list names '{name}', and the app has no such function.")
    if not any(function.error is None for function in functions):
        console.warning(
            "No job functions found. A function of the v2 programming model is one that is "
            "decorated with a trigger of the app, or of a blueprint that the app registers."
        )


def _refusal(error: AppLoadError, script_root: Path) -> str:
    """Why the app has no functions, with the trace where it shows a place in the app."""
    text = f"Worker failed to load function app. {error}"
    if error.error_type == "ScriptNotFoundError" and any(script_root.glob("*/function.json")):
        text += (
            " The function.json files in it are of the v1 programming model, which the emulator "
            "does not run."
        )
    # The worker's own refusals have no trace but the text that is said already.
    if error.error_type is None or 'File "' in error.trace:
        text += f"\n{error.trace.rstrip()}"
    return text


def worker_python(settings: Settings) -> str | None:
    """The app's interpreter, where its packages are; None is the emulator's own.

    Source: Core Tools, which take the setting and else the first Python on PATH. DIFFERS: of PATH,
    only an activated virtual environment counts.
    """
    named = settings.get("languageWorkers:python:defaultExecutablePath")
    if named:
        return named
    environment = settings.environment.get("VIRTUAL_ENV")
    python = Path(environment) / "bin" / "python" if environment else None
    return str(python) if python is not None and python.exists() else None
